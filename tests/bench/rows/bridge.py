"""From one broker into another, beside what others have for it and beside our own two halves."""

import itertools
import json
import os
import pathlib
import shlex
import subprocess
import time

from sides import *

# What Kafka's own mirror has of the same settings; the others (acks=all, one request at a time) it sets itself.
MIRROR = """
clusters = {source}, to
{source}.bootstrap.servers = {kafka}
to.bootstrap.servers = {kafka}
{source}->to.enabled = true
{source}->to.topics = {topic}
to->{source}.enabled = false
{source}->to.emit.heartbeats.enabled = false
{source}->to.emit.checkpoints.enabled = false
{source}->to.sync.topic.acls.enabled = false
{source}->to.sync.topic.configs.enabled = false
{source}->to.refresh.topics.enabled = false
{source}.consumer.auto.offset.reset = earliest
{source}.consumer.fetch.max.wait.ms = 100
to.producer.linger.ms = 5
to.producer.batch.size = 1000000
tasks.max = 1
replication.factor = 1
offset-syncs.topic.replication.factor = 1
config.storage.replication.factor = 1
offset.storage.replication.factor = 1
status.storage.replication.factor = 1
"""

# Sets a shovel up inside the broker, waits for what it moves, and says how many microseconds that took.
SHOVEL = """
Started = erlang:monotonic_time(microsecond),
ok = rabbit_runtime_parameters:parse_set(<<"/">>, <<"shovel">>, <<"bench">>, <<"{definition}">>, none),
Wait = fun Wait() ->
    {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),
    case rabbit_amqqueue:info(Queue, [messages]) of
        [{{messages, Count}}] when Count >= {count} -> ok;
        _ -> timer:sleep(10), Wait()
    end
end,
Wait(),
erlang:monotonic_time(microsecond) - Started.
"""


def bridge(bench, scale):
    kafka_to_kafka(bench, 2_000_000 // scale)
    with_amqp(bench, 200_000 // scale)


def kafka_to_kafka(bench, count):
    topics, lines = Topics(), bench.path("lines")
    source = topics.fresh()
    write_lines(lines, count, payload)
    subprocess.run([MSCOMM, "-q", "kafka", "produce", source, "-s", KAFKA, "-d", "@" + lines], check=True)
    os.remove(lines)
    tail = ["kafka", "tail", source, "-s", KAFKA, "--from", "begin", "--until-end", *settings(CONSUMER)]

    def produce(topic):
        return ["kafka", "produce", topic, "-s", KAFKA, *settings(PRODUCER)]

    def kcat(topic):
        read = ["kcat", "-C", "-q", "-e", "-b", KAFKA, "-t", source, "-o", "beginning", *settings(CONSUMER)]
        write = ["kcat", "-P", "-b", KAFKA, "-t", topic, *settings(PRODUCER)]
        return ["bash", "-c", f"set -o pipefail; {shlex.join(read)} | {shlex.join(write)}"]

    aliases = (f"mirror{number}" for number in itertools.count())

    def mirror(alias):
        file = pathlib.Path(bench.path("mirror.properties"))
        file.write_text(MIRROR.format(source=alias, kafka=KAFKA, topic=source))
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        # Beside Kafka's jars, see tests/brokers.
        kafka = pathlib.Path(KAFKA_LIB).parent
        own = kafka.with_name(kafka.name.replace("kafka-", "mirror-", 1)) / "lib"
        return ["java", quiet, "-cp", f"{KAFKA_LIB}/*:{own}/*", "org.apache.kafka.connect.mirror.MirrorMaker", str(file)]

    def mirrored(alias):
        while records_in(f"{alias}.{source}") < count:
            time.sleep(0.25)

    def unmirror(alias):
        check(records_in(f"{alias}.{source}"), count, "records in the mirror")
        topics.drop(f"{alias}.{source}")

    what = f"bridge Kafka → Kafka, {human(count)} × 100 B"
    ours = Side("mscomm", lambda t: [MSCOMM, "bridge", *tail, "--to", *produce(t)], before=topics.fresh, after=topics.check(count))
    theirs = Side("kcat -C into kcat -P", kcat, before=topics.fresh, after=topics.check(count))
    bench.compare(what, "wall ≤ 1.0×, CPU ≤ 0.9×", ours, theirs)
    theirs = Side("MirrorMaker 2", mirror, before=lambda: next(aliases), until=mirrored, after=unmirror)
    bench.compare(what, "CPU ≤ 0.3×", ours, theirs)

    # The same records, too.
    def digest(topic):
        read = ["kcat", "-C", "-q", "-e", "-b", KAFKA, "-t", topic, "-o", "beginning"]
        return output_of(["bash", "-c", f"set -o pipefail; {shlex.join(read)} | LC_ALL=C sort | md5sum"])

    if not bench.against:
        topic = topics.fresh()
        subprocess.run(ours.argv(topic), check=True, stderr=subprocess.DEVNULL)
        check(digest(topic), digest(source), "digest of what was carried")
        topics.drop(topic)
    topics.drop(source)


def with_amqp(bench, count):
    topics, lines, out = Topics(), bench.path("lines"), bench.path("out")
    source, target = (f"bench-{os.getpid()}-{side}" for side in ("from", "to"))
    write_lines(lines, count, lambda n: payload(n, 101))
    mscomm = [MSCOMM, "-q", "amqp"]
    subprocess.run([RABBITMQCTL, "-q", "set_vm_memory_high_watermark", "absolute", "4GB"], check=True)
    for queue in (source, target):
        subprocess.run([*mscomm, "queue", "declare", queue, "-s", AMQP], check=True)

    def empty():
        for queue in (source, target):
            subprocess.run([*mscomm, "queue", "purge", queue, "-s", AMQP], check=True, stdout=subprocess.DEVNULL)

    def full():
        empty()
        subprocess.run([*mscomm, "publish", "-k", source, "-d", "@" + lines, "-s", AMQP], check=True)

    def moved(left=0, came=count):
        def after(_):
            for queue, wanted in ((source, left), (target, came)):
                check(settled_length(queue, wanted), wanted, f"messages in {queue}")

        return after

    consume = ["amqp", "consume", source, "-s", AMQP, "-n", str(count)]
    publish = ["amqp", "publish", "-k", target, "-s", AMQP, "--window", "1000"]
    what = f"{human(count)} × 100 B"

    def shovel(_):
        ends = {"src-protocol": "amqp091", "src-uri": AMQP_PEER, "src-queue": source, "src-prefetch-count": 1000}
        ends |= {"dest-protocol": "amqp091", "dest-uri": AMQP_PEER, "dest-queue": target, "ack-mode": "on-confirm"}
        definition = json.dumps(ends).replace('"', '\\"')
        said = output_of([RABBITMQCTL, "-q", "eval", SHOVEL.format(definition=definition, queue=target, count=count)])
        return int(said) / 1e6

    def unshovel(_):
        moved()(_)
        subprocess.run([RABBITMQCTL, "-q", "clear_parameter", "shovel", "bench"], check=True)

    ours = Side("mscomm", [MSCOMM, "bridge", *consume, "--to", *publish], before=full, after=moved())
    plugins = pathlib.Path(RABBITMQCTL).with_name("rabbitmq-plugins")
    subprocess.run([plugins, "-q", "enable", "rabbitmq_shovel"], check=True, stdout=subprocess.DEVNULL)
    theirs = Asked("shovel, on-confirm", shovel, before=full, after=unshovel)
    bench.compare(f"bridge AMQP → AMQP, {what}", "wall ≤ 1.0×", ours, theirs)

    # The slower half of each is RabbitMQ's.
    def carried(topic):
        moved(came=0)(topic)
        topics.check(count)(topic)

    def topic_beside_full():
        full()
        return topics.fresh()

    def written(_):
        moved(came=0)(_)
        check(lines_in(out), count, f"lines in {out}")

    ours = Side(
        "mscomm",
        lambda t: [MSCOMM, "bridge", *consume, "--to", "kafka", "produce", t, "-s", KAFKA, *settings(PRODUCER)],
        before=topic_beside_full,
        after=carried,
    )
    half = Side("own consume", [MSCOMM, "-q", *consume, "-o", "raw"], stdout=out, before=full, after=written)
    bench.compare(f"bridge AMQP → Kafka, {what}", "speed ≥ 0.9×", ours, half)

    topic = topics.fresh()
    subprocess.run([MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "-d", "@" + lines], check=True)
    tail = ["kafka", "tail", topic, "-s", KAFKA, "--from", "begin", "--until-end", *settings(CONSUMER)]
    # A record has a time, and here no key, which a message of its own would not say: the half publishes what bridge does.
    same = bench.path("envelopes")
    with open(same, "wb") as file:
        subprocess.run([MSCOMM, "-q", *tail, "-o", "json"], check=True, stdout=file)
    ours = Side("mscomm", [MSCOMM, "bridge", *tail, "--to", *publish], before=empty, after=moved())
    half = Side("own publish", [MSCOMM, "-q", *publish, "--input", "json", "-d", "@" + same], before=empty, after=moved())
    bench.compare(f"bridge Kafka → AMQP, {what}", "speed ≥ 0.9×", ours, half)
    topics.drop(topic)
    for queue in (source, target):
        subprocess.run([*mscomm, "queue", "delete", queue, "-s", AMQP], check=True)
