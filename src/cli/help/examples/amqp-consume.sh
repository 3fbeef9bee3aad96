# Follow a queue, and ack each message once it was written
mscomm amqp consume orders
# Empty the queue into a file, with headers and properties
mscomm amqp consume orders --until-end -o json > messages.jsonl
# Take ten messages, and leave the others
mscomm amqp consume orders -n 10
# Read all that is there, and put it back
mscomm amqp consume orders --until-end --requeue
# Take out the large orders alone; the others keep their place
mscomm amqp consume orders --until-end --filter '.value.total > 100'
# Run a command for each message, and put aside those for which it fails
mscomm amqp consume orders --exec ./handle.sh \
  --on-failure dead:orders-failed
