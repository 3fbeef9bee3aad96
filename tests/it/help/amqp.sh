set -e
umask 077
cat > config.toml <<END
[profiles.staging]
amqp.server = "$MSCOMM_SANDBOX_AMQP"
grpc.server = "$MSCOMM_SANDBOX_GRPC"
[profiles.prod]
extends = "staging"
END
# What the examples publish and ask.
cat > orders.txt <<'END'
{"id":1,"customer":"alice","total":420}
{"id":2,"customer":"bob","total":7}
{"id":3,"customer":"alice","total":42}
END
cat > order.json <<'END'
{
  "id": 4,
  "customer": "bob",
  "total": 180
}
END
cat > events.txt <<'END'
order.created:{"id":5,"customer":"carol","total":99}
order.paid:{"id":5,"total":99}
END
cat > messages.jsonl <<'END'
{"protocol":"amqp","exchange":"events","routing_key":"order.created","queue":"orders","redelivered":false,"headers":{"trace":"42"},"value":"{\"id\":6,\"customer\":\"bob\",\"total\":12}","properties":{"content_type":"application/json","delivery_mode":2}}
{"protocol":"amqp","exchange":"","routing_key":"orders","queue":"orders","redelivered":false,"value":"{\"id\":7,\"customer\":\"alice\",\"total\":300}"}
END
printf '{"item":"tea"}\n{"item":"coffee"}\n{"item":"cocoa"}\n' > items.txt
printf '#!/bin/sh\ncat\n' > handle.sh
printf '#!/bin/sh\nsed "s/}$/,\"eur\":2}/"\n' > price.sh
chmod +x handle.sh price.sh
# Exchanges and queues. Nothing is bound to `events-old`, and `orders-old` stays empty.
mscomm -q amqp exchange declare events -t topic
mscomm -q amqp exchange declare events-old -t topic
mscomm -q amqp exchange declare audit -t fanout
mscomm -q amqp exchange declare documents -t headers
for queue in orders orders-failed orders-old invoices prices greetings; do
  mscomm -q amqp queue declare $queue
done
mscomm -q amqp bind events orders -k 'order.*'
mscomm -q amqp bind events prices -k price.wanted
mscomm -q amqp bind events audit --to-exchange -k '#'
mscomm -q amqp bind documents invoices -A x-match=all -A type=invoice -A format=pdf
# Messages: of the failed ones two may go back to where they came from, one came back too often, three have no x-death.
cat > feed.jsonl <<'END'
{"exchange":"events","routing_key":"order.created","headers":{"trace":"42"},"value":"{\"id\":8,\"customer\":\"alice\",\"total\":120}","properties":{"content_type":"application/json","delivery_mode":2}}
{"exchange":"events","routing_key":"order.paid","value":"{\"id\":8,\"total\":120}"}
{"exchange":"events","routing_key":"order.created","value":"{\"id\":9,\"customer\":\"bob\",\"total\":7}"}
{"exchange":"documents","routing_key":"","headers":{"type":"invoice","format":"pdf"},"value":"invoice of order 8"}
{"exchange":"","routing_key":"orders-failed","value":"{\"id\":9,\"customer\":\"bob\",\"total\":7}"}
END
cat > failed.jsonl <<'END'
{"headers":{"x-death":[{"count":1,"reason":"rejected","queue":"orders","exchange":"events","routing-keys":["order.created"]}]},"value":"{\"id\":10,\"customer\":\"bob\",\"total\":15}"}
{"headers":{"x-death":[{"count":1,"reason":"expired","queue":"orders","exchange":"events","routing-keys":["order.paid"]}]},"value":"{\"id\":11,\"total\":150}"}
{"headers":{"x-death":[{"count":5,"reason":"rejected","queue":"orders","exchange":"events","routing-keys":["order.created"]}]},"value":"{\"id\":12,\"customer\":\"carol\",\"total\":99}"}
{"value":"{\"id\":13,\"customer\":\"alice\",\"total\":20}"}
{"value":"{\"id\":14,\"customer\":\"alice\",\"total\":200}"}
{"value":"{\"id\":15,\"customer\":\"bob\",\"total\":2}"}
END
mscomm -q amqp publish -k orders-failed --input json -d @failed.jsonl
mscomm -q amqp publish --input json -d @feed.jsonl
# Somebody who goes on to publish, for those who follow, and somebody who answers.
while sleep 0.2; do cat feed.jsonl; done | mscomm -q amqp publish --input json --no-mandatory 2> feed.err &
mscomm -q amqp respond prices --map '{value: {item: .value.item, eur: 2}}' 2> respond.err &
