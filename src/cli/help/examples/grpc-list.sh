# List the services of the server
mscomm grpc list
# List the methods of a service, by the names that call takes
mscomm grpc list helloworld.Greeter
# Show what each method takes and gives back
mscomm grpc list mscomm.sandbox.v1.Echo -o table
# List the services of another environment
mscomm grpc list -p staging
# List what a .proto file describes, and ask no server
mscomm grpc list --proto orders.proto --reflection off
# Find the methods that stream, in a script
mscomm grpc list Echo -o json | jq -r 'select(.kind != "unary").method'
