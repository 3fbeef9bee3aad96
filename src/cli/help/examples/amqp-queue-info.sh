# Show how many messages wait, and how many consumers there are
mscomm amqp queue info orders
# Show several queues at once
mscomm amqp queue info orders orders-failed invoices
# Get the number of messages alone, for a script
mscomm amqp queue info orders-failed -o json | jq .messages
# Look at a queue of another environment
mscomm amqp queue info orders -p prod
