# List the brokers, with the addresses that clients are given
mscomm kafka broker list
# Print them as a bootstrap list, a line each
mscomm kafka broker list -o json | jq -r '"\(.host):\(.port)"'
