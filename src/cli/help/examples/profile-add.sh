# Add a profile for a RabbitMQ whose password comes from the environment
mscomm profile add qa amqp.server=amqps://app@mq.qa/orders \
  amqp.password=env:MQ_PASSWORD
# Add one for gRPC that sends a token with each call
mscomm profile add api grpc.server=https://api.example.com \
  grpc.headers='{ authorization = "Bearer ${env:TOKEN}" }'
# Add one for a Kafka with SASL, whose password is in a file
mscomm profile add events kafka.server=k1:9093,k2:9093 kafka.tls=true \
  kafka.sasl.mechanism=SCRAM-SHA-512 kafka.sasl.username=app \
  kafka.sasl.password=file:/run/secrets/kafka
# Add one that differs from another in a single value
mscomm profile add prod-eu extends=prod amqp.vhost=eu
