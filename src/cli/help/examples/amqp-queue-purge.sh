# Drop all that waits in a queue, and print how many messages that were
mscomm amqp queue purge orders-failed
# Empty a queue of another environment
mscomm amqp queue purge orders -p staging
