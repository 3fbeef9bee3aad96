# Ask whether the server serves
mscomm grpc health
# Ask for one of its services, and wait until it serves
mscomm grpc health helloworld.Greeter --wait=30s
# Print each change
mscomm grpc health --watch
