# Write .proto files of all that the server serves
mscomm grpc export --proto-out protos
# Write a descriptor set, for --descriptor-set and for other tools
mscomm grpc export --descriptor-set-out api.binpb
# Write one service alone, with the types that it needs
mscomm grpc export helloworld.Greeter --proto-out protos
# Bring the files up to date, and replace what has changed
mscomm grpc export --proto-out protos --force
# Compile a .proto file to a descriptor set, without protoc or a server
mscomm grpc export --proto orders.proto --reflection off \
  --descriptor-set-out orders.binpb
