# Delete a queue with all its messages
mscomm amqp queue delete orders-failed
# Delete it only when nothing is in it and nobody reads from it
mscomm amqp queue delete orders-old --if-empty --if-unused
# Delete a queue of another environment
mscomm amqp queue delete orders -p staging
