# Print the latest schema of a subject
mscomm kafka schema get orders-value
# Print its first version as it was registered, to the last character
mscomm kafka schema get orders-value:1 -o raw > order-1.avsc
# Print what a message was written with: its id, and where that is in use
mscomm kafka schema get --id "$ID" -o json
