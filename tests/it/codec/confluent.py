"""Writes and reads messages with Confluent's own serializers, a JSON value a line.

confluent.py write|read KIND TOPIC BROKERS REGISTRY SCHEMA [TYPE]

KIND is avro, protobuf or json; with `header` behind it (avro-header) the id goes into a header.
Of Protobuf TYPE is the message in the schema's file. What is read is printed with its key.
"""
import decimal
import importlib
import json
import os
import sys
import tempfile

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

way, kind, topic, brokers, registry, schema, *more = sys.argv[1:]
kind, _, place = kind.partition("-")
client = SchemaRegistryClient({"url": registry})
text = open(schema).read()
context = SerializationContext(topic, MessageField.VALUE, [])
config = {}
if place == "header":
    from confluent_kafka.schema_registry import header_schema_id_serializer

    config["schema.id.serializer"] = header_schema_id_serializer


def message_type():
    from grpc_tools import protoc

    folder = tempfile.mkdtemp()
    source = os.path.abspath(schema)
    protoc.main(["protoc", "-I", os.path.dirname(source), "-I", os.path.join(os.path.dirname(protoc.__file__), "_proto"),
                 "--python_out", folder, source])
    sys.path.insert(0, folder)
    module = importlib.import_module(os.path.basename(schema).replace(".proto", "_pb2"))
    found = module
    for name in more[0].split("."):
        found = getattr(found, name)
    return found


def native(value, of):
    """What the Avro serializer takes for JSON in the plain form."""
    if isinstance(of, list):
        return None if value is None else native(value, next(one for one in of if one != "null"))
    if isinstance(of, dict) and of.get("logicalType") == "decimal":
        return decimal.Decimal(value)
    if isinstance(of, dict) and of["type"] == "record":
        return {field["name"]: native(value[field["name"]], field["type"]) for field in of["fields"]}
    if isinstance(of, dict) and of["type"] == "array":
        return [native(item, of["items"]) for item in value]
    return value


def shown(value):
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value.decode() if isinstance(value, bytes) else str(value)


if kind == "avro":
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer

    serialize = lambda: AvroSerializer(client, text, lambda value, _: native(value, json.loads(text)), config)
    deserialize = lambda: AvroDeserializer(client)
elif kind == "protobuf":
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
    from google.protobuf import json_format

    of = message_type()
    writer = ProtobufSerializer(of, client, {"use.deprecated.format": False, **config})
    serialize = lambda: lambda value, context: writer(json_format.ParseDict(value, of()), context)
    reader = ProtobufDeserializer(of, {"use.deprecated.format": False}, client)
    deserialize = lambda: lambda value, context: json_format.MessageToDict(reader(value, context))
else:
    from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer

    serialize = lambda: JSONSerializer(text, client, conf=config)
    deserialize = lambda: JSONDeserializer(text, schema_registry_client=client)

if way == "write":
    producer, make = Producer({"bootstrap.servers": brokers}), serialize()
    for line in sys.stdin:
        context.headers.clear()
        value = make(json.loads(line), context)
        producer.produce(topic, value=value, headers=list(context.headers))
    producer.flush()
else:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    read = deserialize()
    while True:
        record = consumer.poll(30)
        if record is None:
            sys.exit("nothing came")
        if record.error():
            break
        context.headers[:] = record.headers() or []
        print(json.dumps(read(record.value(), context), default=shown))
    consumer.close()
