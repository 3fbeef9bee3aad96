# Create an exchange that routes by patterns, as order.*
mscomm amqp exchange declare events -t topic
# Create an exchange that gives each message to all that is bound to it
mscomm amqp exchange declare audit -t fanout
# Create one that routes by headers
mscomm amqp exchange declare documents -t headers
# Create one whose messages without a taker go to another exchange
mscomm amqp exchange declare payments -t topic --alternate-exchange audit
