# Put one message into the queue orders
mscomm amqp publish -k orders -d '{"id":7,"customer":"alice","total":120}'
# Publish each line of a file as a message that outlives a broker restart
mscomm amqp publish -k orders --persistent -d @orders.txt
# Publish a whole file as one message, with its type and a header
mscomm amqp publish -k orders --input raw -d @order.json \
  --content-type application/json -H trace=42
# Publish to an exchange, and fail when no queue wants the message
mscomm amqp publish -e events -k order.created --mandatory -d '{"id":7}'
# Take the routing key of each message from what stands before its colon
mscomm amqp publish -e events -K : -d @events.txt
# Put what `consume -o json` saved into a queue, headers and all
mscomm amqp publish -k orders --input json -d @messages.jsonl
