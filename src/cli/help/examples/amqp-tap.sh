# Watch all that goes through an exchange, and touch nobody's queue
mscomm amqp tap events
# Watch some routing keys alone, and print each with its body
mscomm amqp tap 'events:order.*' -n 5 -o '%k %s\n'
# Save the next ten messages, with headers and properties
mscomm amqp tap events -n 10 -o json > messages.jsonl
# Wait for the next large order
mscomm amqp tap events -n 1 --filter '.value.total > 100'
# Watch two exchanges at once
mscomm amqp tap events documents -n 5
# Watch a headers exchange for what has this header
mscomm amqp tap documents --match type=invoice -n 1
