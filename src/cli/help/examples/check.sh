# Check all that the profile names, step by step
mscomm check
# Wait until all is there, the queue too, before the tests begin
mscomm check amqp grpc --queue orders --wait=1m
# Check another environment, as JSON: an object for each step
mscomm check -p staging -o json
# Find the steps that take longer than 50 ms, in a script
mscomm check -o json | jq -r 'select(.ms > 50) | "\(.system) \(.step)"'
