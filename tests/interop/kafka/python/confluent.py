"""confluent-kafka, which is librdkafka, through what a cluster offers; prints what must be the same on every one."""

from confluent_kafka import (
    Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, Producer, TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
    ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion,
)

from report import BROKERS, FIRST_MS, NAME, say, tell, until

COMMON = {"bootstrap.servers": BROKERS, "client.id": NAME, "allow.auto.create.topics": False}
admin = AdminClient({"bootstrap.servers": BROKERS, "client.id": NAME})


def result(futures, key=None):
    return (next(iter(futures.values())) if key is None else futures[key]).result(20)


def is_there(topic):
    found = admin.list_topics(topic, timeout=20).topics[topic]
    return found.error is None and len(found.partitions) > 0


def create(topic, partitions, config=None):
    result(admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})]))
    until("a topic", lambda: is_there(topic))


def settings(topic):
    found = result(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
    # 1 is what was set for the topic itself.
    return {name: entry.value for name, entry in sorted(found.items()) if entry.source == 1}


def alter(topic, name, value, how):
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[ConfigEntry(name, value, incremental_operation=how)])
    return lambda: result(admin.incremental_alter_configs([resource]))


def topics():
    topic = NAME + "-topics"
    made = {"retention.ms": "3600000", "cleanup.policy": "compact,delete"}
    tell("validated", lambda: result(admin.create_topics([NewTopic(topic, 3, 1, config=made)], validate_only=True)))
    create(topic, 3, made)
    for bad in [NewTopic(topic, 3, 1), NewTopic("no/name", 1, 1), NewTopic(topic + "-bad", 1, 9), NewTopic(topic + "-bad", 1, 1, config={"no.such": "1"})]:
        tell("bad", lambda: result(admin.create_topics([bad])))
    described = result(admin.describe_topics(TopicCollection([topic]), include_authorized_operations=True))
    say("described", described.name == topic, described.is_internal, sorted(o.name for o in described.authorized_operations))
    for partition in described.partitions:
        say("partition", partition.id, partition.leader.id, len(partition.replicas), len(partition.isr))
    tell("no topic", lambda: result(admin.describe_topics(TopicCollection([topic + "-none"]))).name)
    say("settings", settings(topic))
    for call in [alter(topic, "retention.ms", "7200000", AlterConfigOpType.SET), alter(topic, "cleanup.policy", "compact", AlterConfigOpType.SUBTRACT),
                 alter(topic, "retention.ms", "never", AlterConfigOpType.SET), alter(topic + "-none", "retention.ms", "1", AlterConfigOpType.SET)]:
        tell("altered", call)
    until("new settings", lambda: settings(topic)["cleanup.policy"] == "delete")
    say("settings", settings(topic))
    for count in [5, 5, 2]:
        tell("partitions", lambda: result(admin.create_partitions([NewPartitions(topic, count)])))
    until("partitions", lambda: len(admin.list_topics(topic, timeout=20).topics[topic].partitions) == 5)
    tell("deleted", lambda: result(admin.delete_topics([topic])))
    until("no topic", lambda: not is_there(topic))
    tell("deleted", lambda: result(admin.delete_topics([topic])))
    cluster = admin.describe_cluster().result(20)
    say("cluster", len(cluster.cluster_id), [node.id for node in cluster.nodes])


def shown(message):
    value = message.value()
    return (message.partition(), message.offset(), message.leader_epoch(), message.timestamp(), message.key(),
            value and (value[:10], len(value)), message.headers())


def read(what, topic, partitions, **more):
    consumer = Consumer({**COMMON, "group.id": NAME + "-none", "enable.auto.commit": False, "enable.partition.eof": True, **more})
    consumer.assign([TopicPartition(topic, i, 0) for i in range(partitions)])
    came, ended = [], set()

    def all_of_it():
        for message in consumer.consume(100, 0.1):
            if message.error():
                ended.add(message.partition())
            else:
                came.append(message)
        return len(ended) == partitions

    until("the end", all_of_it)
    for message in sorted(came, key=lambda m: (m.partition(), m.offset())):
        say(what, *shown(message))
    return consumer


def records():
    topic = NAME + "-records"
    create(topic, 3)
    number = 0
    delivered = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        producer = Producer({**COMMON, "enable.idempotence": True, "compression.type": codec, "linger.ms": 20})
        for i in range(7):
            headers = [("codec", codec.encode()), ("empty", b""), ("codec", None)] if i < 5 else None
            value = None if i == 3 else f"{codec} {i} ".encode() * 30
            key = None if i == 6 else f"key {i}".encode()
            producer.produce(topic, value, key, i % 3, timestamp=FIRST_MS + number, headers=headers,
                             on_delivery=lambda error, m: delivered.append((m.timestamp()[1], m.partition(), m.offset(), str(error))))
            number += 1
        say("left", producer.flush(20))
    for report in sorted(delivered):
        say("delivered", *report)
    consumer = read("read", topic, 3)
    say("watermarks", [consumer.get_watermark_offsets(TopicPartition(topic, i), 20) for i in range(3)])
    for time in [FIRST_MS + 9, FIRST_MS + 999]:
        found = consumer.offsets_for_times([TopicPartition(topic, i, time) for i in range(3)], 20)
        say("at", [(p.partition, p.offset, str(p.error)) for p in found])
    consumer.close()
    for spec in [OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp(), OffsetSpec.for_timestamp(FIRST_MS + 9)]:
        found = result(admin.list_offsets({TopicPartition(topic, 1): spec}, isolation_level=IsolationLevel.READ_COMMITTED))
        say("listed", found.offset, found.timestamp, found.leader_epoch)
    for before in [4, 4000]:
        tell("records deleted", lambda: result(admin.delete_records([TopicPartition(topic, 0, before)])).low_watermark)
    keyed = Producer({**COMMON, "partitioner": "murmur2_random"})
    for i in range(5):
        keyed.produce(topic, b"keyed", f"key {i}", on_delivery=lambda error, m: say("keyed", m.key(), m.partition(), error))
        keyed.flush(20)
    for wrong in [topic + "-none", "no/name"]:
        lost = Producer({**COMMON, "message.timeout.ms": 300})
        lost.produce(wrong, b"x", on_delivery=lambda error, m: say("to nowhere", error in [0, error] and error.name()))
        lost.flush(20)
    lost = Producer(COMMON)
    lost.produce(topic, b"x", partition=9, on_delivery=lambda error, m: say("to no partition", error.name()))
    lost.flush(20)
    create(topic + "-small", 1, {"max.message.bytes": "500"})
    lost = Producer(COMMON)
    lost.produce(topic + "-small", bytes(range(256)) * 4, on_delivery=lambda error, m: say("too large", error))
    lost.flush(20)


class Member:
    """A consumer in a group, and what it got."""

    def __init__(self, protocol, topic, group, **more):
        own = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 100} if protocol == "classic" else {}
        self.consumer = Consumer({**COMMON, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest",
                                  "enable.auto.commit": False, "fetch.wait.max.ms": 50, "topic.metadata.refresh.interval.ms": 1000, **own, **more})
        self.consumer.subscribe([topic])
        self.values = set()

    def poll(self):
        for message in self.consumer.consume(100, 0.03):
            # Nothing is told before the topic is known.
            assert not message.error(), message.error()
            self.values.add(message.value().decode())

    def share(self):
        return len(self.consumer.assignment())


def settle(counts, *members):
    def shared():
        for member in members:
            member.poll()
        return [member.share() for member in members] == counts

    until(f"{counts}", shared)
    say("share", counts)


def all_of(count, *members):
    def came():
        for member in members:
            member.poll()
        return len(set().union(*(m.values for m in members))) >= count

    until(f"{count} records", came)
    say("came", sorted(set().union(*(m.values for m in members))))


def produce(topic, numbers):
    producer = Producer(COMMON)
    for i in numbers:
        producer.produce(topic, f"v{i:02}", partition=i % 4, timestamp=FIRST_MS)
    assert producer.flush(20) == 0


def describe(group):
    found = result(admin.describe_consumer_groups([group]))
    members = sorted((m.client_id, m.group_instance_id, len(m.assignment.topic_partitions), m.target_assignment and len(m.target_assignment.topic_partitions)) for m in found.members)
    say("group", found.state, found.type, found.partition_assignor, found.is_simple_consumer_group, found.coordinator.id, members)


def committed(group):
    found = result(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    say("committed", [(p.partition, p.offset, p.metadata, p.leader_epoch) for p in sorted(found.topic_partitions, key=lambda p: p.partition)])


def groups(protocol):
    topic = f"{NAME}-group-{protocol}"
    group = topic + "-readers"
    create(topic, 4)
    produce(topic, range(12))
    one = Member(protocol, topic, group)
    settle([4], one)
    all_of(12, one)
    one.consumer.commit(asynchronous=False)
    describe(group)
    tell("not empty", lambda: result(admin.delete_consumer_groups([group])))
    two = Member(protocol, topic, group)
    settle([2, 2], one, two)
    describe(group)
    produce(topic, range(12, 20))
    all_of(20, one, two)
    one.consumer.commit(asynchronous=False)
    two.consumer.commit(asynchronous=False)
    two.consumer.close()
    settle([4], one)
    one.consumer.close()
    until("an empty group", lambda: not result(admin.describe_consumer_groups([group])).members)
    describe(group)
    committed(group)
    produce(topic, range(20, 24))
    again = Member(protocol, topic, group)
    all_of(4, again)
    tell("by hand", lambda: again.consumer.commit(offsets=[TopicPartition(topic, 1, 3, "by hand")], asynchronous=False)[0].offset)
    say("by hand", [(p.offset, p.metadata) for p in again.consumer.committed([TopicPartition(topic, 1)], 20)])
    again.consumer.close()
    until("an empty group", lambda: not result(admin.describe_consumer_groups([group])).members)
    listed = admin.list_consumer_groups(states={ConsumerGroupState.EMPTY}).result(20)
    say("listed", [(g.state, g.type, g.is_simple_consumer_group) for g in listed.valid if g.group_id == group])
    if protocol == "classic":
        for strategy in ["range", "roundrobin", "cooperative-sticky"]:
            name = f"{group}-{strategy}"
            one, two = (Member(protocol, topic, name, **{"partition.assignment.strategy": strategy, "group.instance.id": i}) for i in ["one", "two"])
            settle([2, 2], one, two)
            describe(name)
            one.consumer.close()
            two.consumer.close()
    result(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 2, 1)])]))
    committed(group)
    tell("of no partition", lambda: result(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 77, 1)])])).topic_partitions[0].error)
    tell("group deleted", lambda: result(admin.delete_consumer_groups([group])))
    tell("group deleted", lambda: result(admin.delete_consumer_groups([group])))
    tell("group gone", lambda: result(admin.describe_consumer_groups([group])).state)


def send(producer, topic, what, count=4):
    for i in range(count):
        producer.produce(topic, f"{what} {i}", partition=i % 2, timestamp=FIRST_MS)


def transactions():
    topic = NAME + "-transactions"
    group = topic + "-group"
    create(topic, 2)
    settings_of = {**COMMON, "transactional.id": topic + "-id"}
    producer = Producer(settings_of)
    producer.init_transactions(20)
    for what, end in [("committed", producer.commit_transaction), ("aborted", producer.abort_transaction), ("again", producer.commit_transaction)]:
        producer.begin_transaction()
        send(producer, topic, what)
        producer.flush(20)
        if what == "again":
            read("open", topic, 2).close()
        end(20)
    read("uncommitted", topic, 2, **{"isolation.level": "read_uncommitted"}).close()
    read("committed", topic, 2, **{"isolation.level": "read_committed"}).close()
    for protocol in ["classic", "consumer"]:
        member = Member(protocol, topic, f"{group}-{protocol}")
        until("an assignment", lambda: member.poll() or member.share() == 2)
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 2)], member.consumer.consumer_group_metadata(), 20)
        committed(f"{group}-{protocol}")
        producer.commit_transaction(20)
        say("committed", [p.offset for p in member.consumer.committed([TopicPartition(topic, 0)], 20)])
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], member.consumer.consumer_group_metadata(), 20)
        producer.abort_transaction(20)
        say("aborted", [p.offset for p in member.consumer.committed([TopicPartition(topic, 0)], 20)])
        member.consumer.close()
    younger = Producer(settings_of)
    younger.init_transactions(20)

    def older():
        producer.begin_transaction()
        send(producer, topic, "older")
        producer.commit_transaction(20)

    try:
        older()
    except KafkaException as error:
        say("fenced", error.args[0].name(), error.args[0].fatal())
    younger.begin_transaction()
    send(younger, topic, "younger")
    younger.commit_transaction(20)
    read("in the end", topic, 2, **{"isolation.level": "read_committed"}).close()


def users():
    user = NAME + "-user"
    tell("no user", lambda: result(admin.describe_user_scram_credentials([user])))
    tell("user", lambda: result(admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), b"pw")])))
    found = until("a user", lambda: _user(user))
    say("user", [(i.mechanism, i.iterations) for i in found.scram_credential_infos])
    for _ in range(2):
        tell("user gone", lambda: result(admin.alter_user_scram_credentials([UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)])))


def _user(user):
    try:
        return result(admin.describe_user_scram_credentials([user]))
    except KafkaException:
        return None


topics()
records()
groups("classic")
groups("consumer")
transactions()
users()
