# Create a topic as the broker's defaults say
mscomm kafka topic create returns
# Give it 6 partitions, and keep its records for a week
mscomm kafka topic create refunds --partitions 6 \
  --set retention.ms=604800000
# Create a compacted topic, which keeps the newest record of each key
mscomm kafka topic create customers --set cleanup.policy=compact
# Create several topics, also while the broker is still starting
mscomm kafka topic create orders.eu orders.us --wait=1m
# Create one unless it is there; two partitions, both on broker 1
mscomm kafka topic create orders.uk --if-not-exists \
  --replica-assignment 1,1
