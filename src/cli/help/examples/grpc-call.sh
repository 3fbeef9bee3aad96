# Call a method; the server itself says what the request looks like
mscomm grpc call helloworld.Greeter/SayHello -d '{"name":"world"}'
# Write a request with all its fields, to be filled in
mscomm grpc call SayHello --template > request.jsonc
# Send a request from a file to another environment, with a token
mscomm grpc call SayHello -p staging -d @request.jsonc \
  -H "authorization: Bearer $TOKEN"
# Call a server that has no reflection
mscomm grpc call SayHello --proto greeter.proto -d '{"name":"world"}'
# Send each line of a file as a request of one stream
mscomm grpc call Echo/ClientStream -d @requests.jsonl
# Wait for a certain response of a stream, and end the call
mscomm grpc call Echo/ServerStream -d '{"message":"tick","count":9}' \
  --filter '.value.number == 3' -n 1
