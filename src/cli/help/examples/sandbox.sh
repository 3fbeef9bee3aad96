# See what mscomm does with gRPC, RabbitMQ and Kafka, step by step
mscomm sandbox --tour
# Open a shell in which mscomm finds the sandbox's servers
mscomm sandbox -- bash
# Run a test with servers of its own, and pass its exit code on
mscomm sandbox --topic orders:6 -- ./test.sh
# Serve only RabbitMQ's protocol, on the port that the test expects
mscomm sandbox --only amqp --amqp-port 5673 -- ./test.sh
# Play a gRPC service of your own, with answers from a file
mscomm sandbox --proto orders.proto --stub stubs.json -- ./test.sh
# Start one in the background; kill "$MSCOMM_SANDBOX_PID" ends it
eval "$(mscomm sandbox --print-env &)"
