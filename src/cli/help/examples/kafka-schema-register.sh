# Register a schema for the bodies of the topic orders
mscomm kafka schema register orders-value --schema order.avsc
# Get its id alone, for a script
mscomm kafka schema register orders-value --schema order.avsc -o json |
  jq .id
# Register a Protobuf file that imports another one
mscomm kafka schema register customers-value --schema customer.proto \
  --reference shop/address.proto=address:latest
