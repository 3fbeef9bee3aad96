# Show the servers whose descriptions are kept, and how old those are
mscomm grpc cache list
# Print the addresses alone, for a script
mscomm grpc cache list -o json | jq -r .server
# Keep what a server says of itself for an hour, to find it here then
mscomm grpc list -p staging --descriptor-cache 1h
