# List the topics, with how many messages they hold, and for how long
mscomm kafka topic list
# List those whose names begin so, the largest first
mscomm kafka topic list '^orders' --sort -messages
# Print only the names, a line each, for a script
mscomm kafka topic list --brief --columns topic
# List the topics of another cluster
mscomm kafka topic list -p prod
# List the cluster's own topics too, such as __consumer_offsets
mscomm kafka topic list --internal
