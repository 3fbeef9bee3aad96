# Answer each request with what a command prints
mscomm amqp respond prices --exec ./price.sh
# Run four commands at a time, and live on when one of them fails
mscomm amqp respond prices -j 4 --exec ./price.sh --on-failure skip
# Answer with what a jq program makes of the request
mscomm amqp respond prices --map '{value: {eur: (.value.gbp * 1.2)}}'
# Answer by calls to a gRPC service, ten at a time
mscomm amqp respond greetings \
  --via grpc call helloworld.Greeter/SayHello -j 10
