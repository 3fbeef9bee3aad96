# List the topics, with their partitions and replicas
mscomm kafka topic list
# Print only the names, a line each, for a script
mscomm kafka topic list -o tsv | cut -f 1
# List the topics of another cluster
mscomm kafka topic list -p prod
# List the cluster's own topics too, such as __consumer_offsets
mscomm kafka topic list --internal
