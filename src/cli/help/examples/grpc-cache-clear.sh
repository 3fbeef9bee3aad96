# Drop what is kept of one server, by the address that list shows
mscomm grpc cache clear http://localhost:50051
# Drop all of it
mscomm grpc cache clear
