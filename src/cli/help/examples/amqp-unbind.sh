# Stop the events of orders from going to the queue orders
mscomm amqp unbind events orders -k 'order.*'
# Remove a binding by headers, named as it was bound
mscomm amqp unbind documents invoices -A x-match=all \
  -A type=invoice -A format=pdf
# Take an exchange off another one
mscomm amqp unbind events audit --to-exchange -k '#'
