# Show what the latest version of a subject has changed
mscomm kafka schema diff orders-value
# Show what has changed since the first
mscomm kafka schema diff orders-value:1
# Show how a file differs from the latest version
mscomm kafka schema diff orders-value order.avsc
