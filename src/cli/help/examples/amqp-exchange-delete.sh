# Delete an exchange with its bindings
mscomm amqp exchange delete events
# Delete it only when nothing is bound to it
mscomm amqp exchange delete events-old --if-unused
