# Show a service with its methods and their comments
mscomm grpc describe helloworld.Greeter
# Show the fields of a message
mscomm grpc describe helloworld.HelloRequest
# Show one method
mscomm grpc describe mscomm.sandbox.v1.Echo.ServerStream
# Show all services of the server
mscomm grpc describe
# Show a message of a .proto file, and ask no server
mscomm grpc describe shop.v1.Order --proto orders.proto --reflection off
