"""kafka-python through what a cluster offers; prints what must be the same on every one."""

import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
import kafka, inspect
print(kafka.__version__)
print([n for n in dir(KafkaAdminClient) if not n.startswith("_")])
for n in ["create_topics", "describe_topics","delete_topics","create_partitions","describe_configs","alter_configs","list_groups","describe_groups","delete_groups","list_group_offsets","alter_group_offsets","delete_records","list_partition_offsets", "list_consumer_groups", "describe_consumer_groups"]:
    f = getattr(KafkaAdminClient, n, None)
    print(n, f and inspect.signature(f), (inspect.getdoc(f) or "")[:700] if f else "")
print(KafkaProducer.DEFAULT_CONFIG.keys())
print(KafkaConsumer.DEFAULT_CONFIG.keys())
print([n for n in dir(KafkaProducer) if not n.startswith("_")])
