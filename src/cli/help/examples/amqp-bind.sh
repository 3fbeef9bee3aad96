# Send all events of orders to the queue orders
mscomm amqp bind events orders -k 'order.*'
# Bind a queue by several routing keys at once
mscomm amqp bind events invoices -k order.paid -k order.refunded
# Bind a queue to a fanout exchange, which needs no key
mscomm amqp bind audit orders
# Bind by headers: messages that have both of them
mscomm amqp bind documents invoices -A x-match=all \
  -A type=invoice -A format=pdf
# Send all that one exchange gets to another one, too
mscomm amqp bind events audit --to-exchange -k '#'
