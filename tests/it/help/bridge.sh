umask 077
for p in staging prod; do cat << END; done > config.toml
[profiles.$p.grpc]
server = "$MSCOMM_SANDBOX_GRPC"
[profiles.$p.amqp]
server = "$MSCOMM_SANDBOX_AMQP"
[profiles.$p.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"
END
export MSCOMM_PROFILE=staging
mscomm -q kafka topic delete orders payments 2> gone || :
mscomm -q kafka topic create orders payments
mscomm -q amqp queue declare orders
mscomm -q amqp queue declare orders-failed
mscomm -q amqp queue declare audit
mscomm -q amqp exchange declare events -t topic
mscomm -q amqp bind events audit -k '#'
cat > orders.jsonl <<'END'
{"key":"alice","headers":[["trace","42"]],"value":"{\"id\":1,\"customer\":\"alice\",\"total\":420}"}
{"key":"bob","value":"{\"id\":2,\"customer\":\"bob\",\"total\":7}"}
END
mscomm -q kafka produce orders --input json -d @orders.jsonl
mscomm -q amqp publish -k orders-failed -d '{"id":3,"customer":"carol","total":180}'
printf '#!/bin/sh\nsed "s/}\$/,\\"currency\\":\\"EUR\\"}/"\n' > enrich.sh
chmod +x enrich.sh
