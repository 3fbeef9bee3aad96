"""The sandbox's brokers, beside RabbitMQ and Kafka."""

import os
import pathlib
import statistics
import subprocess
import sys

from sides import *


def sandbox_brokers(bench, scale):
    amqp(bench, scale)
    kafka(bench, scale)


def amqp(bench, scale):
    """The sandbox's AMQP broker beside RabbitMQ, with perf-test as the client of both: it is the brokers that differ."""
    count, queue = 1_000_000 // scale, f"bench-{os.getpid()}"
    confirmed = {"publishes": "confirmed, 1000 in flight", "consumes": "acked by the 100"}
    titles = {verb: f"perf-test {verb} {human(count)} × 100 B {how}: the broker" for verb, how in confirmed.items()}
    if not any(map(bench.wants, titles.values())):
        return
    # Room for all of them, as RabbitMQ has it with its watermark.
    subprocess.run([RABBITMQCTL, "-q", "set_vm_memory_high_watermark", "absolute", "4GB"], check=True)
    with sandbox("--only", "amqp", "--amqp-memory", "2GiB") as (_, environment):
        url = environment["AMQP_URL"]
        servers = {"sandbox": (url, url), "RabbitMQ": (AMQP, AMQP_PEER)}

        def side(name, flags, messages, left):
            server, peer = servers[name]
            mscomm = [MSCOMM, "-q", "amqp"]

            def before():
                subprocess.run([*mscomm, "queue", "delete", queue, "-s", server], check=True)
                subprocess.run([*mscomm, "queue", "declare", queue, "-s", server], check=True)
                if messages:
                    feed = [*perf_test(peer), *"-x 1 -y 0 -s 100 -c 1000 -p -e".split(), "", "-k", queue, "-u", queue, "-C", str(messages)]
                    subprocess.run(feed, check=True, stdout=subprocess.DEVNULL)
                return queue

            def after(_):
                check(settled_length(queue, left, server), left, f"messages in {queue} of {name}")

            return Side(name, [*perf_test(peer), "-p", "-u", queue, *flags], before=before, after=after)

        publish = ["-e", "", "-k", queue, *"-x 1 -y 0 -s 100 -c 1000 -C".split(), str(count)]
        consume = [*"-x 0 -y 1 -q 1000 -A 100 -D".split(), str(count)]
        for work, flags, messages, left in [("publishes", publish, 0, count), ("consumes", consume, count, 0)]:
            bench.compare(
                titles[work],
                "speed ≥ 2×",
                side("sandbox", flags, messages, left),
                side("RabbitMQ", flags, messages, left),
            )
        subprocess.run([MSCOMM, "-q", "amqp", "queue", "delete", queue, "-s", AMQP], check=True)


# Kafka's own clients; as they come, but for `acks`.
JAVA = ["java", "-cp", KAFKA_LIB + "/*"]


class Served:
    """A broker and its process: what it does for a side, by the CPU that it takes for that."""

    def __init__(self, name, address, pid):
        self.name, self.address, self.pid, self.cpu = name, address, pid, {}

    def now(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def side(self, work, argv, took=None, before=None, after=None):
        """Calls `before` for a place, and `after` with it, around what counts; `took` reads the seconds out of what a tool prints
        of itself."""

        def begin():
            place = before(self) if before else None
            self.begun = self.now()
            return place

        def end(place):
            self.cpu.setdefault(work, []).append(self.now() - self.begun)
            if after:
                after(self, place)

        line = lambda place: argv(self.address, place)  # noqa: E731
        if took:
            return Asked(self.name, lambda place: took(output_of(line(place))), before=begin, after=end)
        return Side(self.name, line, before=begin, after=end)

    def asked(self, *what):
        """What the broker takes for something, as `peers/kafka_groups.py` measures it."""
        peer = [sys.executable, str(ROOT / "tests/bench/peers/kafka_groups.py"), self.address, *what]
        return Asked(self.name, lambda _: float(output_of(peer)))


def kafka(bench, scale):
    """The sandbox's Kafka beside the real one, with the same clients for both."""
    count = 1_000_000 // scale
    with sandbox("--only", "kafka", "--kafka-memory", "1GiB") as (server, environment):
        # One process, whose parent's memory the kernel counts as well: what it says of itself is its own.
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        pid = pathlib.Path(os.environ["MSCOMM_TEST_DIR"], "kafka.pid").read_text().strip()
        both = Served("sandbox", environment["KAFKA_BROKERS"], server.pid), Served("Kafka", KAFKA, pid)
        if bench.wants("the sandbox's Kafka"):
            bench.fact("the sandbox's Kafka without topics, memory (goal ≤ 20 MB)", f"{peak / 1024:.1f} MB")
        records(bench, count, both)
        for work, goal, *what in [
            (f"{human(1000 // scale)} topics created by one request", "wall ≤ 1 s", "topics", str(1000 // scale)),
            ("first generation of an empty group (Kafka: without its 3 s)", "wall ≤ 0.1 s", "first"),
            ("join to a classic group that beats every 300 ms", "wall ≤ 0.35 s", "join", "0.3"),
            ("join to a group of KIP-848", "wall ≤ 0.1 s", "consumer"),
        ]:
            bench.compare(f"{work}: the broker", goal, *(broker.asked(*what) for broker in both))
    work = "mscomm sandbox --only kafka -- true"
    if bench.wants(work):
        ours = Side("mscomm", [MSCOMM, "-q", "sandbox", "--only", "kafka", "--", "true"])
        walls = [ours.run().wall for _ in range(bench.rounds * 4)]
        bench.fact(f"{work} (goal: ready within 20 ms)", f"{seconds(statistics.median(walls))}, {seconds(min(walls))} – {seconds(max(walls))}")


def records(bench, count, both):
    """Records in and out, by Kafka's own tools and by clients that are not Java's."""
    names = {broker: f"bench-{os.getpid()}-{broker.name.lower()}" for broker in both}

    def topic(verb, broker, name):
        subprocess.run([MSCOMM, "-q", "kafka", "topic", verb, name, "-s", broker.address], check=True)

    def fresh(broker):
        name = f"{names[broker]}-{next(Topics.numbers)}"
        topic("create", broker, name)
        return name

    def came(broker, name):
        check(records_in(name, broker.address, 1), count, f"records in {name} of {broker.name}")
        topic("delete", broker, name)

    def produce(address, name):
        size = ["--num-records", str(count), "--record-size", "100", "--throughput", "-1"]
        to = ["--producer-props", f"bootstrap.servers={address}", "acks=all"]
        return [*JAVA, "org.apache.kafka.tools.ProducerPerformance", "--topic", name, *size, *to]

    def consume(broker):
        asked = ["--messages", str(count), "--timeout", "60000"]
        return lambda address, _: [*JAVA, "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", address, "--topic", names[broker], *asked]

    def kcat(broker):
        return lambda address, _: ["kcat", "-C", "-q", "-e", "-b", address, "-t", names[broker], "-o", "beginning"]

    def tail(broker):
        return lambda address, _: [MSCOMM, "-q", "kafka", "tail", names[broker], "-s", address, "--from", "begin", "--until-end", "-o", "raw"]

    of = f"{human(count)} × 100 B: the broker"
    # What the tools tell of themselves: the start of their machine is not in it.
    produced = lambda told: count / float(told.splitlines()[-1].split()[3])  # noqa: E731
    consumed = lambda told: count / float(told.splitlines()[-1].split(",")[5])  # noqa: E731
    work = f"ProducerPerformance, acks=all, {of}"
    bench.compare(work, "speed ≥ 1.5×", *(broker.side(work, produce, produced, fresh, came) for broker in both))
    works = [(f"{tool} {of}", goal, argv, took) for tool, goal, argv, took in [
        ("ConsumerPerformance,", "speed ≥ 1.5×", consume, consumed),
        ("kcat -C -e reads", "speed ≥ 1.0×", kcat, None),
        ("mscomm kafka tail --until-end reads", "speed ≥ 1.0×", tail, None),
    ]]  # fmt: skip
    if any(bench.wants(work) for work, *_ in works):
        for broker in both:
            topic("create", broker, names[broker])
            subprocess.run(produce(broker.address, names[broker]), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for work, goal, argv, took in works:
        bench.compare(work, goal, *(broker.side(work, argv(broker), took) for broker in both))
    ours, theirs = both
    for work in ours.cpu:
        of_both = (statistics.median(broker.cpu[work][1:]) for broker in (ours, theirs))
        bench.fact(f"{work}, its CPU", " / ".join(map(seconds, of_both)))
    if any(bench.wants(work) for work, *_ in works):
        for broker in both:
            topic("delete", broker, names[broker])
