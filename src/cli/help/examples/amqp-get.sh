# Look at the first message, and leave it in the queue
mscomm amqp get orders
# Look at the first three, with headers and properties
mscomm amqp get orders -n 3 -o json
# See from which queue a dead letter came, and why
mscomm amqp get orders-failed \
  --map '.headers."x-death"[0] as $d | .value = [$d.queue, $d.reason]'
# Find an order among those that wait
mscomm amqp get orders --filter '.value.id == 9'
# Print the routing keys and bodies of the first three
mscomm amqp get orders -n 3 -o '%k %s\n'
