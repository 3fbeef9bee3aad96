umask 077
cat > config.toml <<END
[profiles.staging]
kafka.server = "$MSCOMM_SANDBOX_KAFKA"
grpc.server = "$MSCOMM_SANDBOX_GRPC"
[profiles.prod.kafka]
server = "$MSCOMM_SANDBOX_KAFKA"
END
export MSCOMM_PROFILE=staging
mscomm -q kafka topic delete orders payments audit returns refunds customers orders.eu orders.us orders.uk \
  prices price-answers greetings 2> gone || :
mscomm -q kafka topic create orders audit --partitions 3 --set retention.ms=604800000
mscomm -q kafka topic create prices price-answers greetings --partitions 3
mscomm -q kafka topic create payments --set cleanup.policy=compact
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
cat > payment.avsc <<'END'
{"type":"record","name":"Payment","fields":[
  {"name":"id","type":"long"},
  {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}
END
printf 'alice:paid\nbob:open\n' > payments.txt
now=$(date -u +%FT%TZ)
cat > orders.jsonl <<END
{"timestamp":"$now","key":"alice","headers":[["trace","42"]],"value":"{\"id\":1,\"customer\":\"alice\",\"total\":420}"}
{"timestamp":"$now","key":"bob","value":"{\"id\":2,\"customer\":\"bob\",\"total\":7}"}
{"timestamp":"$now","key":"alice","value":"{\"id\":3,\"customer\":\"alice\",\"total\":42}"}
END
printf '#!/bin/sh\ncat\n' > handle.sh
printf '#!/bin/sh\nsed "s/}$/,\"eur\":2}/"\n' > price.sh
chmod +x handle.sh price.sh
mscomm -q kafka produce orders --input json -d @orders.jsonl
mscomm -q kafka group delete billing audit --if-exists
mscomm -q kafka group reset billing --topic orders --to begin -y > reset 2>&1
mscomm -q kafka group export billing > offsets.jsonl
printf '{"item":"tea"}\n{"item":"coffee"}\n{"item":"cocoa"}\n' > items.txt
# Somebody who answers.
mscomm -q kafka respond prices -g "answering-$$" --map '{value: {item: .value.item, eur: 2}}' 2> respond.err &
