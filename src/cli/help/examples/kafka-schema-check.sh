# Check in CI whether a schema may follow the versions that are there
mscomm kafka schema check orders-value --schema order.avsc
# Check it against one version alone
mscomm kafka schema check orders-value:1 --schema order.avsc
# Get the outcome as JSON, with what the registry says
mscomm kafka schema check orders-value --schema order.avsc -o json
