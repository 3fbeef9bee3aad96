# Answer each request with what a command prints
mscomm kafka respond prices --group pricing --exec ./price.sh
# Run four commands at a time, and live on when one of them fails
mscomm kafka respond prices -g pricing -j 4 --exec ./price.sh \
  --on-failure skip
# Answer with what a jq program makes of the request
mscomm kafka respond prices -g pricing \
  --map '{value: {item: .value.item, eur: 2}}'
# Answer by calls to a gRPC service, ten at a time
mscomm kafka respond greetings -g greeter \
  --via grpc call helloworld.Greeter/SayHello -j 10
# Answer to these topics alone, whatever a request says
mscomm kafka respond prices -g pricing --exec ./price.sh \
  --allow-reply-to price-answers --allow-reply-to '^replies-'
