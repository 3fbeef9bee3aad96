"""aiokafka through what a cluster offers; prints what must be the same on every one."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from report import BROKERS, FIRST_MS, NAME, say

COMMON = {"bootstrap_servers": BROKERS, "client_id": NAME}
DEADLINE = 30


async def tell(what, call):
    """Says what the call gives, or the error that it ends with."""
    try:
        say(what, await call)
    except KafkaError as error:
        say(what, type(error).__name__)


async def until(what, done):
    async def poll():
        while not (answer := await done()):
            await asyncio.sleep(0.01)
        return answer

    return await asyncio.wait_for(poll(), DEADLINE)


async def is_there(admin, topic):
    return not (await admin.describe_topics([topic]))[0]["error_code"]


async def create(admin, topic, partitions, configs=None):
    made = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs or {})])
    say("created", [error[1] for error in made.topic_errors])
    await until("a topic", lambda: is_there(admin, topic))


async def partitions(admin, topic, count):
    return [error[1] for error in (await admin.create_partitions({topic: NewPartitions(count)})).topic_errors]


async def topics(admin):
    topic = NAME + "-topics"
    await create(admin, topic, 3, {"retention.ms": "3600000"})
    for bad in [NewTopic(topic, 1, 1), NewTopic("no/name", 1, 1), NewTopic(topic + "-bad", 1, 9)]:
        say("bad", (await admin.create_topics([bad])).topic_errors[0][1:])
    described = (await admin.describe_topics([topic]))[0]
    for it in sorted(described["partitions"], key=lambda p: p["partition"]):
        say("partition", it["partition"], it["leader"], it["replicas"], it["isr"])

    async def settings():
        answer = (await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))[0]
        return {entry[0]: entry[1] for entry in answer.resources[0][4] if entry[3] == 1}

    say("settings", await settings())
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})])

    async def altered():
        return (await settings()).get("retention.ms") == "7200000"

    await until("new settings", altered)
    for count in [5, 5]:
        await tell("partitions", partitions(admin, topic, count))
    for _ in range(2):
        say("deleted", [code for _, code in (await admin.delete_topics([topic])).topic_error_codes])


async def read(what, topic, count, **more):
    consumer = AIOKafkaConsumer(**COMMON, auto_offset_reset="earliest", enable_auto_commit=False, **more)
    await consumer.start()
    consumer.assign([TopicPartition(topic, i) for i in range(count)])
    ends = await consumer.end_offsets(consumer.assignment())
    came = []

    async def all_of_it():
        for records in (await consumer.getmany(timeout_ms=100)).values():
            came.extend(records)
        return all([await consumer.position(p) >= end for p, end in ends.items()])

    await until("the end", all_of_it)
    for it in sorted(came, key=lambda r: (r.partition, r.offset)):
        say(what, it.partition, it.offset, it.timestamp, it.timestamp_type, it.key, it.value and (it.value[:10], len(it.value)), it.headers)
    return consumer


async def records(admin):
    topic = NAME + "-records"
    await create(admin, topic, 3)
    number = 0
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        async with AIOKafkaProducer(**COMMON, enable_idempotence=True, compression_type=codec, linger_ms=20) as producer:
            sent = []
            for i in range(7):
                headers = [("codec", str(codec).encode()), ("empty", b"")] if i < 5 else []
                value = None if i == 3 else f"{codec} {i} ".encode() * 30
                sent.append(await producer.send(topic, value, None if i == 6 else f"key {i}".encode(), i % 3, FIRST_MS + number, headers))
                number += 1
            for it in sent:
                at = await it
                say("sent", at.partition, at.offset, at.timestamp, at.log_start_offset)
    consumer = await read("read", topic, 3)
    everywhere = [TopicPartition(topic, i) for i in range(3)]
    for time in [FIRST_MS + 9, FIRST_MS + 999]:
        say("at", [(p.partition, o and (o.offset, o.timestamp)) for p, o in sorted((await consumer.offsets_for_times({p: time for p in everywhere})).items())])
    say("begin", sorted((p.partition, o) for p, o in (await consumer.beginning_offsets(everywhere)).items()))
    await consumer.stop()
    await tell("records deleted", admin.delete_records({everywhere[0]: RecordsToDelete(4)}))


class Member:
    """A consumer in a group, and what it got."""

    def __init__(self, topic, group, **more):
        self.consumer = AIOKafkaConsumer(topic, **COMMON, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=6000,
                                         heartbeat_interval_ms=100, fetch_max_wait_ms=50, **more)
        self.values = set()

    async def start(self):
        await self.consumer.start()
        return self

    async def poll(self):
        for came in (await self.consumer.getmany(timeout_ms=30)).values():
            self.values.update(record.value.decode() for record in came)


async def settle(counts, *members):
    async def shared():
        for member in members:
            await member.poll()
        return [len(member.consumer.assignment()) for member in members] == counts

    await until(f"{counts}", shared)
    say("share", counts)


async def all_of(count, *members):
    async def came():
        for member in members:
            await member.poll()
        return len(set().union(*(m.values for m in members))) >= count

    await until(f"{count} records", came)
    say("came", sorted(set().union(*(m.values for m in members))))


async def produce(topic, numbers):
    async with AIOKafkaProducer(**COMMON) as producer:
        for i in numbers:
            await producer.send_and_wait(topic, f"v{i:02}".encode(), partition=i % 4, timestamp_ms=FIRST_MS)


async def groups(admin):
    topic = NAME + "-group"
    group = topic + "-readers"
    await create(admin, topic, 4)
    await produce(topic, range(12))
    one = await Member(topic, group).start()
    await settle([4], one)
    await all_of(12, one)
    await one.consumer.commit()
    two = await Member(topic, group).start()
    await settle([2, 2], one, two)
    await produce(topic, range(12, 20))
    await all_of(20, one, two)
    await one.consumer.commit()
    await two.consumer.commit()
    await two.consumer.stop()
    await settle([4], one)
    described = (await admin.describe_consumer_groups([group]))[0].groups[0]
    say("group", described[0], described[2], described[3], described[4], len(described[5]))
    await one.consumer.stop()
    offsets = await admin.list_consumer_group_offsets(group)
    say("committed", [(p.partition, o.offset, o.metadata) for p, o in sorted(offsets.items())])
    await produce(topic, range(20, 24))
    again = await Member(topic, group).start()
    await all_of(4, again)
    await again.consumer.commit({TopicPartition(topic, 1): (3, "by hand")})
    say("by hand", await again.consumer.committed(TopicPartition(topic, 1)))
    await again.consumer.stop()
    say("listed", [kind for name, kind in await admin.list_consumer_groups() if name == group])


async def transactions(admin):
    topic = NAME + "-transactions"
    group = topic + "-group"
    await create(admin, topic, 2)
    producer = AIOKafkaProducer(**COMMON, transactional_id=topic + "-id")
    await producer.start()

    async def send(sender, what):
        for i in range(4):
            await sender.send_and_wait(topic, f"{what} {i}".encode(), partition=i % 2, timestamp_ms=FIRST_MS)

    for what, end in [("committed", producer.commit_transaction), ("aborted", producer.abort_transaction), ("again", producer.commit_transaction)]:
        await producer.begin_transaction()
        await send(producer, what)
        await end()
    await (await read("uncommitted", topic, 2)).stop()
    await (await read("committed", topic, 2, isolation_level="read_committed")).stop()
    zero = TopicPartition(topic, 0)
    for offset, end in [(2, producer.commit_transaction), (1, producer.abort_transaction)]:
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({zero: offset}, group)
        await end()
        say("offset", [(p.partition, o.offset) for p, o in (await admin.list_consumer_group_offsets(group)).items()])
    younger = AIOKafkaProducer(**COMMON, transactional_id=topic + "-id")
    await younger.start()
    try:
        async with producer.transaction():
            await send(producer, "older")
    except KafkaError as error:
        say("fenced", type(error).__name__)
    async with younger.transaction():
        await send(younger, "younger")
    await younger.stop()
    await producer.stop()
    await (await read("in the end", topic, 2, isolation_level="read_committed")).stop()


async def main():
    admin = AIOKafkaAdminClient(**COMMON)
    await admin.start()
    for part in [topics, records, groups, transactions]:
        await part(admin)
    await admin.close()


asyncio.run(main())
