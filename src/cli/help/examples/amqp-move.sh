# Send dead letters back to where they came from, each three times at most
mscomm amqp move orders-failed --to-origin --max-moves 3
# Move one message, to see how it goes
mscomm amqp move orders-failed orders -n 1
# Move only large orders
mscomm amqp move orders-failed orders --filter '.value.total > 100'
# Move all that is in a queue
mscomm amqp move orders-failed orders
# Go on to move what comes, until Ctrl-C
mscomm amqp move orders-failed orders --follow
