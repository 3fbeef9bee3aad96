"""kafka-python through what a cluster offers; prints what must be the same on every one."""

import queue
import threading

import kafka.coordinator.assignors.range as by_range
import kafka.coordinator.assignors.roundrobin as by_turns
import kafka.coordinator.assignors.sticky.sticky_assignor as sticky
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.admin import (
    AlterConfigOp, ConfigResource, ConfigResourceType, MemberToRemove, ScramMechanism, UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.structs import OffsetAndMetadata

from report import BROKERS, FIRST_MS, NAME, say, tell, until, wait

# What comes of a join between two polls is forgotten: they are long while one is awaited.
PATIENT_MS, QUICK_MS = 1000, 50
COMMON = {"bootstrap_servers": BROKERS, "client_id": NAME}
admin = KafkaAdminClient(**COMMON)


def is_there(topic):
    return not admin.describe_topics([topic])[0]["error_code"]


def create(topic, partitions, configs=None):
    admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}})
    until("a topic", lambda: is_there(topic))


def settings(topic):
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: it["value"] for name, it in sorted(next(iter(next(iter(found.values())).values())).items()) if it["config_source"] in (1, "DYNAMIC_TOPIC_CONFIG")}


def topics():
    topic = NAME + "-topics"
    made = {"retention.ms": "3600000", "cleanup.policy": "compact,delete"}
    create(topic, 3, made)
    for bad in [{topic: {}}, {"no/name": {}}, {topic + "-bad": {"num_partitions": 1, "replication_factor": 9}}, {topic + "-bad": {"configs": {"no.such": "1"}}}]:
        tell("bad", lambda: admin.create_topics(bad))
    described = admin.describe_topics([topic])[0]
    for it in sorted(described["partitions"], key=lambda p: p["partition_index"]):
        say("partition", it["partition_index"], it["leader_id"], it["leader_epoch"], it["replica_nodes"], it["isr_nodes"], it["offline_replicas"])
    say("no topic", admin.describe_topics([topic + "-none"])[0]["error_code"])
    say("settings", settings(topic))
    for name, value in [("retention.ms", (AlterConfigOp.SET, "7200000")), ("cleanup.policy", (AlterConfigOp.SUBTRACT, "compact")), ("retention.ms", (AlterConfigOp.SET, "never"))]:
        tell("altered", lambda: admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})]))
    until("new settings", lambda: settings(topic)["cleanup.policy"] == "delete")
    say("settings", settings(topic))
    for count in [5, 5, 2]:
        tell("partitions", lambda: bool(admin.create_partitions({topic: count})))
    until("partitions", lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 5)
    tell("deleted", lambda: bool(admin.delete_topics([topic])))
    until("no topic", lambda: not is_there(topic))
    tell("deleted", lambda: bool(admin.delete_topics([topic])))


def read(what, topic, partitions, **more):
    consumer = KafkaConsumer(**COMMON, enable_auto_commit=False, **more)
    all_of_them = [TopicPartition(topic, i) for i in range(partitions)]
    consumer.assign(all_of_them)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(all_of_them)
    came = []

    def to_the_end():
        for records in consumer.poll(100).values():
            came.extend(records)
        return all(consumer.position(p) >= ends[p] for p in all_of_them)

    until("the end", to_the_end)
    for it in sorted(came, key=lambda r: (r.partition, r.offset)):
        say(what, it.partition, it.offset, it.leader_epoch, it.timestamp, it.timestamp_type, it.key, it.value and (it.value[:10], len(it.value)), it.headers)
    return consumer


def records():
    topic = NAME + "-records"
    create(topic, 3)
    all_of_them = [TopicPartition(topic, i) for i in range(3)]
    number = 0
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        producer = KafkaProducer(**COMMON, acks="all", enable_idempotence=True, compression_type=codec, linger_ms=20)
        sent = []
        for i in range(7):
            headers = [("codec", str(codec).encode()), ("empty", b""), ("codec", b"again")] if i < 5 else []
            value = None if i == 3 else f"{codec} {i} ".encode() * 30
            key = None if i == 6 else f"key {i}".encode()
            sent.append(producer.send(topic, value, key, headers, i % 3, FIRST_MS + number))
            number += 1
        for it in sent:
            at = it.get(20)
            say("sent", at.partition, at.offset, at.timestamp)
        producer.close()
    consumer = read("read", topic, 3)
    say("ends", [(p.partition, o) for p, o in sorted(consumer.beginning_offsets(all_of_them).items())], [(p.partition, o) for p, o in sorted(consumer.end_offsets(all_of_them).items())])
    for time in [FIRST_MS + 9, FIRST_MS + 999]:
        say("at", [(p.partition, o) for p, o in sorted(consumer.offsets_for_times({p: time for p in all_of_them}).items())])
    consumer.seek(all_of_them[1], 3)
    say("sought", until("a record", lambda: consumer.poll(100, max_records=1).get(all_of_them[1]))[0].offset)
    say("partitions", sorted(consumer.partitions_for_topic(topic)))
    consumer.close()
    for spec in [OffsetSpec.EARLIEST, OffsetSpec.LATEST, OffsetSpec.MAX_TIMESTAMP, FIRST_MS + 9]:
        tell("listed", lambda: sorted((p.partition, o) for p, o in admin.list_partition_offsets({p: spec for p in all_of_them}).items()))
    for before in [4, 4000]:
        tell("records deleted", lambda: admin.delete_records({all_of_them[0]: before})[all_of_them[0]]["low_watermark"])
    keyed = KafkaProducer(**COMMON, acks=1)
    for i in range(5):
        say("keyed", i, keyed.send(topic, b"keyed", f"key {i}".encode()).get(20).partition)
    keyed.close()
    create(topic + "-small", 1, {"max.message.bytes": "500"})
    small = KafkaProducer(**COMMON)
    tell("too large", lambda: small.send(topic + "-small", bytes(range(256)) * 4).get(20))
    small.close()


class Member:
    """A consumer in a group, and what it got. It has a thread of its own: one that is not polling does not join."""

    def __init__(self, topic, group, **more):
        self.consumer = KafkaConsumer(topic, **COMMON, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=6000,
                                      heartbeat_interval_ms=100, fetch_max_wait_ms=50, **more)
        self.values = set()
        self.share = 0
        self.poll_ms = PATIENT_MS
        self.asked = queue.Queue()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        call = None
        while call != self.consumer.close:
            for came in self.consumer.poll(self.poll_ms).values():
                self.values.update(record.value.decode() for record in came)
            self.share = len(self.consumer.assignment())
            while not self.asked.empty():
                call, answer = self.asked.get()
                answer.put(call())

    def do(self, call):
        """What a call gives, made in the consumer's own thread."""
        answer = queue.Queue()
        self.asked.put((call, answer))
        return answer.get(timeout=20)

    def commit(self, offsets=None):
        self.do(lambda: self.consumer.commit(offsets))

    def close(self):
        self.do(self.consumer.close)
        self.thread.join(20)


def settle(counts, *members):
    for member in members:
        member.poll_ms = PATIENT_MS
    until(f"{counts}", lambda: wait() or [member.share for member in members] == counts)
    for member in members:
        member.poll_ms = QUICK_MS
    say("share", counts)


def all_of(count, *members):
    until(f"{count} records", lambda: wait() or len(set().union(*(m.values for m in members))) >= count)
    say("came", sorted(set().union(*(m.values for m in members))))


def produce(topic, numbers):
    producer = KafkaProducer(**COMMON)
    for i in numbers:
        producer.send(topic, f"v{i:02}".encode(), partition=i % 4, timestamp_ms=FIRST_MS).get(20)
    producer.close()


def described(group):
    return admin.describe_groups([group])[group]


def describe(group):
    found = described(group)
    members = sorted((m["client_id"], m["group_instance_id"]) for m in found["members"])
    say("group", found.get("error"), found["group_state"], found["protocol_type"], found["protocol_data"], members)


def committed(group):
    found = admin.list_group_offsets(group)[group]
    say("committed", [(p.partition, o.offset, o.metadata, o.leader_epoch) for p, o in sorted(found.items())])


def named(results):
    return [(p.partition, getattr(error, "__name__", error)) for p, error in sorted(results.items())]


def removed(group):
    return admin.delete_groups([group])[group]


def groups():
    topic = NAME + "-group"
    group = topic + "-readers"
    create(topic, 4)
    produce(topic, range(12))
    one = Member(topic, group)
    settle([4], one)
    all_of(12, one)
    one.commit()
    describe(group)
    say("not empty", removed(group))
    two = Member(topic, group)
    settle([2, 2], one, two)
    produce(topic, range(12, 20))
    all_of(20, one, two)
    one.commit()
    two.commit()
    describe(group)
    two.close()
    settle([4], one)
    one.close()
    until("an empty group", lambda: not described(group)["members"])
    describe(group)
    committed(group)
    produce(topic, range(20, 24))
    again = Member(topic, group)
    settle([4], again)
    all_of(4, again)
    again.commit({TopicPartition(topic, 1): OffsetAndMetadata(3, "by hand", -1)})
    say("by hand", again.do(lambda: again.consumer.committed(TopicPartition(topic, 1), metadata=True)))
    again.close()
    until("an empty group", lambda: not described(group)["members"])
    say("listed", [{key: it[key] for key in ("protocol_type", "group_state", "group_type")} for it in admin.list_groups() if it["group_id"] == group])
    for assignor in [by_range.RangePartitionAssignor, by_turns.RoundRobinPartitionAssignor, sticky.StickyPartitionAssignor]:
        name = f"{group}-{assignor.name}"
        one = Member(topic, name, partition_assignment_strategy=[assignor], group_instance_id="one")
        two = Member(topic, name, partition_assignment_strategy=[assignor], group_instance_id="two")
        settle([2, 2], one, two)
        describe(name)
        one.close()
        two.close()
        for who in ["one", "two", "three"]:
            tell("removed", lambda: [getattr(error, "__name__", error) for error in admin.remove_group_members(name, [MemberToRemove(group_instance_id=who)]).values()])
        describe(name)
    tell("altered", lambda: named(admin.alter_group_offsets(group, {TopicPartition(topic, 2): OffsetAndMetadata(1, "altered", -1), TopicPartition(topic, 77): OffsetAndMetadata(1, "", -1)})))
    tell("deleted", lambda: named(admin.delete_group_offsets(group, [TopicPartition(topic, 0)])))
    committed(group)
    for _ in range(2):
        say("group deleted", removed(group))
    tell("group gone", lambda: described(group)["group_state"])


def transactions():
    topic = NAME + "-transactions"
    group = topic + "-group"
    create(topic, 2)
    with_id = {**COMMON, "transactional_id": topic + "-id", "transaction_timeout_ms": 20000}
    producer = KafkaProducer(**with_id)
    producer.init_transactions()

    def send(sender, what):
        for i in range(4):
            sender.send(topic, f"{what} {i}".encode(), partition=i % 2, timestamp_ms=FIRST_MS).get(20)

    for what, end in [("committed", producer.commit_transaction), ("aborted", producer.abort_transaction), ("again", producer.commit_transaction)]:
        producer.begin_transaction()
        send(producer, what)
        if what == "again":
            found = admin.describe_transactions([topic + "-id"])[topic + "-id"]
            say("open", found.state, found.transaction_timeout_ms)
            read("open", topic, 2, isolation_level="read_committed").close()
        end()
    read("uncommitted", topic, 2).close()
    read("committed", topic, 2, isolation_level="read_committed").close()
    member = Member(topic, group)
    settle([2], member)
    zero = TopicPartition(topic, 0)
    for offset, end in [(2, producer.commit_transaction), (1, producer.abort_transaction)]:
        producer.begin_transaction()
        producer.send_offsets_to_transaction({zero: OffsetAndMetadata(offset, "", -1)}, member.do(member.consumer.group_metadata))
        end()
        say("offset", member.do(lambda: member.consumer.committed(zero)))
    member.close()
    younger = KafkaProducer(**with_id)
    younger.init_transactions()

    def older():
        producer.begin_transaction()
        send(producer, "older")
        producer.commit_transaction()

    tell("fenced", older)
    younger.begin_transaction()
    send(younger, "younger")
    younger.commit_transaction()
    younger.close()
    read("in the end", topic, 2, isolation_level="read_committed").close()


def users():
    user = NAME + "-user"
    tell("no user", lambda: admin.describe_user_scram_credentials([user]))
    tell("user", lambda: admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_256, "pw", iterations=4096)]))
    until("a user", lambda: admin.describe_user_scram_credentials([user])[user]["credential_infos"])
    tell("user", lambda: admin.describe_user_scram_credentials([user]))
    for _ in range(2):
        tell("user gone", lambda: admin.alter_user_scram_credentials([UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)]))


topics()
records()
groups()
transactions()
users()
