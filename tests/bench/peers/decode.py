"""The peer of decoding: Confluent's client and deserializers, the value of each record as a line of JSON.

decode.py avro|protobuf BROKERS REGISTRY TOPIC COUNT [FOLDER of the generated classes] PROPERTY=VALUE…
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

kind, brokers, registry, topic, count, folder, *properties = sys.argv[1:]
if kind == "avro":
    read = AvroDeserializer(SchemaRegistryClient({"url": registry}))

    def line(value):
        return json.dumps(value, default=str)

else:
    sys.path.insert(0, folder)
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
    from google.protobuf.json_format import MessageToDict
    from order_pb2 import Order

    read = ProtobufDeserializer(Order, {"use.deprecated.format": False})

    def line(value):
        return json.dumps(MessageToDict(value, preserving_proto_field_name=True))


settings = dict(entry.split("=", 1) for entry in properties)
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench", "enable.auto.commit": False, **settings})
partitions = consumer.list_topics(topic).topics[topic].partitions
consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
context = SerializationContext(topic, MessageField.VALUE)
left = int(count)
while left:
    for record in consumer.consume(10_000, 1.0):
        sys.stdout.write(line(read(record.value(), context)) + "\n")
        left -= 1
consumer.close()
