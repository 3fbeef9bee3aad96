#!/bin/sh
# kcat through what a cluster offers; prints what must be the same on every one. It makes no topics: the Python that is given does.
set -eu
topic=$KAFKA_NAME-kcat
"$1" - "$topic" <<'PYTHON'
import os, sys
from confluent_kafka.admin import AdminClient, NewTopic
admin = AdminClient({"bootstrap.servers": os.environ["KAFKA_BROKERS"]})
for made in admin.create_topics([NewTopic(sys.argv[1], 2, 1)]).values():
    made.result(20)
while len(admin.list_topics(timeout=20).topics.get(sys.argv[1]).partitions if sys.argv[1] in admin.list_topics(timeout=20).topics else []) < 2:
    pass
PYTHON
kcat() { command kcat -b "$KAFKA_BROKERS" -X client.id="$KAFKA_NAME" "$@"; }
n=0
for codec in none gzip snappy lz4 zstd; do
    for partition in 0 1; do
        printf "k1:$codec $n\nk2:\nk3:$codec again\n" | kcat -P -t "$topic" -p "$partition" -K : -Z -z "$codec" -H "codec=$codec" -H empty= -X enable.idempotence=true
        n=$((n + 1))
    done
done
kcat -C -t "$topic" -o beginning -e -q -f '%p@%o %k(%K)=%s(%S) %h\n' | sort -V
kcat -C -t "$topic" -p 1 -o -2 -e -q -f 'tail %p@%o %s\n'
kcat -C -t "$topic" -p 0 -o 3 -c 2 -q -f 'from %p@%o %s\n'
kcat -Q -t "$topic:0:0" -t "$topic:1:4102444800000"
kcat -L -t "$topic" | sed -E 's/127\.0\.0\.1:[0-9]+/BROKER/; s/^Metadata.*/Metadata/'
kcat -L -t "$topic-none" | sed -E 's/127\.0\.0\.1:[0-9]+/BROKER/; s/^Metadata.*/Metadata/' | grep -v broker
kcat -X auto.offset.reset=earliest -G "$topic-group" -q -c 30 -f 'group %p@%o\n' "$topic" | sort -V
printf 'later\n' | kcat -P -t "$topic" -p 1
kcat -X auto.offset.reset=earliest -G "$topic-group" -q -c 1 -f 'group %p@%o %s\n' "$topic"
printf 'one\ntwo\n' | kcat -P -t "$topic" -p 0 -X transactional.id="$topic-id"
kcat -C -t "$topic" -p 0 -o -3 -e -q -f 'transaction %p@%o %s\n' -X isolation.level=read_committed
