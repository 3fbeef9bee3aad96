# Carry a topic into a queue, and go on where it was when started again
mscomm bridge kafka tail orders --group copy --to amqp publish -k orders
# Move a queue into a topic: a message goes once Kafka has confirmed it
mscomm bridge amqp consume orders-failed --until-end \
  --to kafka produce orders
# Copy a topic on its cluster, each record exactly once
mscomm bridge --exactly-once kafka tail orders --group copy --until-end \
  --to kafka produce payments
# Copy a topic to another cluster
mscomm bridge -p staging kafka tail orders --until-end \
  --to -p prod kafka produce orders
# Call a gRPC method with each message of a queue, 8 at a time
mscomm bridge --map '.value |= {name: .customer}' amqp consume orders \
  --to grpc call helloworld.Greeter/SayHello -j 8
# Send on what a command makes of each message
mscomm bridge --exec ./enrich.sh kafka tail orders --until-end \
  --to kafka produce payments
