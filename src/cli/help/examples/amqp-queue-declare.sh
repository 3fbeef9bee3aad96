# Create a durable queue; one that is there and the same is fine
mscomm amqp queue declare orders
# Create a replicated queue, in a script as soon as the broker answers
mscomm amqp queue declare payments --quorum --wait=1m
# Create a queue whose rejected messages go to the queue orders-failed
mscomm amqp queue declare returns --dead-letter-exchange '' \
  --dead-letter-routing-key orders-failed
# Create a queue that refuses more than 10000 messages
mscomm amqp queue declare mails --max-length 10000 --overflow reject-publish
# Create a queue that drops old messages, and goes when nobody uses it
mscomm amqp queue declare sessions --ttl 30s --expires 1h
# Set an argument that has no flag of its own
mscomm amqp queue declare jobs -A x-single-active-consumer=true
