umask 077
unset MSCOMM_PROFILE
cat > config.toml <<END
default = "staging"

[profiles.staging.grpc]
server = "$MSCOMM_SANDBOX_GRPC"

[profiles.staging.amqp]
server = "$MSCOMM_SANDBOX_AMQP"

[profiles.staging.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"

[profiles.prod]
extends = "staging"

[profiles.prod.grpc]
headers = { authorization = "Bearer \${env:TOKEN}" }

[profiles.prod.amqp]
password = "env:MQ_PASSWORD"
END
mkdir -p .config
printf 'metadata.broker.list=k1:9092\n' > .config/kcat.conf
printf 'bootstrap.servers=k1:9092\nsecurity.protocol=SSL\n' > client.properties
