"""The benchmark behind tests/bench/run: mscomm and a peer alternately, the same work with the same settings.

Each side is a whole process, measured from its start to its end: wall clock, CPU seconds (user + system) and peak memory of
that process and its children as the kernel counts them. Every run is checked at the far end, and one that moved too little
ends the benchmark: a figure is worth nothing when the work was not done. No figure ever does.
"""

import argparse
import base64
import collections
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests/bench/results.md"
MSCOMM = str(ROOT / "target/release/mscomm")
KAFKA = os.environ["MSCOMM_TEST_KAFKA"]
AMQP = os.environ["MSCOMM_TEST_AMQP"]
# RabbitMQ's `/`, as rabbitmq-c and perf-test read a URI.
AMQP_PEER = AMQP + "%2f"
RABBITMQCTL = os.environ["MSCOMM_TEST_RABBITMQCTL"]
GRPCURL = os.environ["MSCOMM_TEST_GRPCURL"]
PERF_TEST = ["java", "-cp", os.environ["MSCOMM_BENCH_PERF_TEST"] + "/*", "com.rabbitmq.perf.PerfTest", "--uri", AMQP_PEER]

# Said to both sides. How many records wait in the queue is each side's own choice: mscomm's is far less than kcat's 100,000.
PRODUCER = [
    "acks=all",
    "enable.idempotence=true",
    "linger.ms=5",
    "batch.num.messages=10000",
    "batch.size=1000000",
    "partitioner=murmur2_random",
]
CONSUMER = ["queued.max.messages.kbytes=65536", "fetch.wait.max.ms=100"]

# What `perf record` says of where our own CPU goes where the goal is close: to be looked at again when a row changes.
NOTES = """
- *Produce.* The wall clock is the broker's: on these cores it is busy for longer than either client, and the medians of both
  lie within the spread of each other. Of our CPU about 93 % is librdkafka's, the C library's and the kernel's (its broker
  thread alone is 48 %: batches, checksums, and touching each record once more when it is confirmed); the thread that reads
  the file is 3 %, cutting lines and handing them over 4 %. What helps is that fewer records wait, so that they are still in the
  processor's cache when they come back.
- *Publish unconfirmed.* RabbitMQ takes some 50,000 messages a second here from either client; ours sleeps for 98 % of
  the time, and its medians lie within the spread of the other's.
- *Publish confirmed, consume.* lapin's thread is 57 % of our CPU when consuming (its parser, a channel handle cloned for each
  frame, a queue to the consumer), the reactor that wakes it 16 %, our own loop 26 %.
""".strip()

Run = collections.namedtuple("Run", "wall cpu memory")


class Side:
    """One program at one work. `before` makes its place and gives the argv; `after` checks what arrived there."""

    def __init__(self, name, argv, stdin=None, stdout=None, before=None, after=None):
        self.name, self.argv, self.stdin, self.stdout = name, argv, stdin, stdout
        self.before, self.after = before, after

    def run(self):
        place = self.before() if self.before else None
        argv = self.argv(place) if callable(self.argv) else self.argv
        with open(self.stdin or os.devnull, "rb") as stdin, open(self.stdout or os.devnull, "wb") as stdout:
            run = measure(argv, stdin, stdout)
        if self.after:
            self.after(place)
        return run


def measure(argv, stdin, stdout):
    with tempfile.TemporaryFile() as stderr:
        started = time.perf_counter()
        child = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            stderr.seek(0)
            sys.exit(f"bench: exit {child.returncode}: {' '.join(argv)}\n{stderr.read()[-2000:].decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


Row = collections.namedtuple("Row", "work peer goal ours theirs")


class Bench:
    def __init__(self, rounds, scratch):
        self.rounds, self.scratch, self.rows, self.facts, self.inner = rounds, scratch, [], [], []

    def compare(self, work, goal, ours, theirs, rounds=None):
        """Runs both sides alternately; who begins changes, since the one before leaves the broker busy."""
        rounds = rounds or self.rounds
        print(f"# {work}", file=sys.stderr, flush=True)
        for side in (ours, theirs):
            side.run()
        runs = {ours: [], theirs: []}
        for number in range(rounds):
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                runs[side].append(side.run())
        row = Row(work, theirs.name, goal, runs[ours], runs[theirs])
        self.rows.append(row)
        print("  " + " | ".join(cells(row)), file=sys.stderr, flush=True)

    def fact(self, work, text):
        print(f"# {work}: {text}", file=sys.stderr, flush=True)
        self.facts.append((work, text))

    def path(self, name):
        return os.path.join(self.scratch, name)


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def cells(row):
    def median(runs, field):
        return statistics.median(getattr(run, field) for run in runs)

    def spread(runs):
        return f"{seconds(min(r.wall for r in runs))} – {seconds(max(r.wall for r in runs))}"

    wall, wall_peer = median(row.ours, "wall"), median(row.theirs, "wall")
    cpu, cpu_peer = median(row.ours, "cpu"), median(row.theirs, "cpu")
    memory = [max(run.memory for run in runs) for runs in (row.ours, row.theirs)]
    return [
        row.work,
        row.peer,
        f"{seconds(wall)} / {seconds(wall_peer)}",
        f"{wall_peer / wall:.2f}×",
        f"{seconds(cpu)} / {seconds(cpu_peer)}",
        f"{cpu / cpu_peer:.2f}×",
        f"{memory[0]:.0f} / {memory[1]:.0f} MB",
        f"{spread(row.ours)}; {spread(row.theirs)}",
        row.goal,
    ]


HEAD = ["work", "peer", "wall, ours / theirs", "speed", "CPU, ours / theirs", "CPU ratio", "peak memory", "spread of wall", "goal"]


# ---------------------------------------------------------------- helpers of the works


def check(got, wanted, what):
    if got != wanted:
        sys.exit(f"bench: {what}: {got} instead of {wanted}")


def output_of(argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def lines_in(path):
    count = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
    return count


def write_lines(path, count, line):
    """In a process of its own: the memory of this one is where the kernel begins to count that of its children."""
    if child := os.fork():
        return check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, f"writing {path}")
    with open(path, "w", encoding="ascii") as file:
        for start in range(0, count, 10000):
            file.write("".join(line(n) for n in range(start, min(start + 10000, count))))
    os._exit(0)


def payload(number, size=100):
    """A line of `size` bytes that looks like somebody's JSON."""
    return f'{{"id":{number:010},"name":"order","state":"paid","amount":{number % 9973:06}'.ljust(size - 2, "7") + "}\n"


class Topics:
    """A fresh topic a run, so that no run finds what another one left."""

    def __init__(self):
        self.number = 0

    def fresh(self, *more):
        self.number += 1
        topic = f"bench-{os.getpid()}-{self.number}"
        subprocess.run(
            [MSCOMM, "-q", "kafka", "topic", "create", topic, "-s", KAFKA, "--partitions", "4", *more], check=True
        )
        # A broker that has just said yes still refuses the first records for a moment.
        time.sleep(0.5)
        return topic

    def check(self, count):
        def after(topic):
            # kcat says where each partition ends: not mscomm's own word for what it has done.
            wanted = ",".join(f"{topic}:{partition}:-1" for partition in range(4)).split(",")
            ends = output_of(["kcat", "-Q", "-b", KAFKA, *(x for part in wanted for x in ("-t", part))])
            check(sum(int(line.split()[-1]) for line in ends.splitlines()), count, f"records in {topic}")
            self.drop(topic)

        return after

    def drop(self, topic):
        subprocess.run([MSCOMM, "-q", "kafka", "topic", "delete", topic, "-s", KAFKA], check=True)


def settings(names):
    return [part for name in names for part in ("-X", name)]


# ---------------------------------------------------------------- Kafka


def kafka(bench, scale):
    topics, count, envelopes = Topics(), 2_000_000 // scale, 200_000 // scale
    plain, keyed, json_file = bench.path("lines"), bench.path("keyed"), bench.path("envelopes")
    few = bench.path("few")
    write_lines(plain, count, payload)
    write_lines(keyed, count, lambda n: f"{n * 7919 % 100003:08}:" + payload(n, 91))
    write_lines(few, envelopes, payload)
    write_lines(
        json_file,
        envelopes,
        lambda n: json.dumps(
            {
                "key": f"{n:08}",
                "headers": [["trace", f"{n:016x}"], ["source", "bench"], ["kind", "order"]],
                "value": payload(n)[:-1],
            },
            separators=(",", ":"),
        )
        + "\n",
    )

    def produce(*more, file, of=count):
        return Side(
            "mscomm",
            lambda t: [MSCOMM, "kafka", "produce", t, "-s", KAFKA, "-d", "@" + file, *settings(PRODUCER), *more],
            before=topics.fresh,
            after=topics.check(of),
        )

    def kcat_produce(*more, file):
        return Side(
            "kcat -P",
            lambda t: ["kcat", "-P", "-b", KAFKA, "-t", t, *settings(PRODUCER), *more, "-l", file],
            before=topics.fresh,
            after=topics.check(count),
        )

    what = f"{human(count)} lines of 100 B from a file"
    goal = "speed ≥ 1.0×, CPU ≤ 1.0×"
    bench.compare(f"produce {what}", goal, produce(file=plain), kcat_produce(file=plain))
    bench.compare(
        f"produce {what}, with keys", goal, produce("-K", ":", file=keyed), kcat_produce("-K", ":", file=keyed)
    )
    own = produce(file=few, of=envelopes)
    own.name = "own plain lines"
    ours = produce("--input", "json", file=json_file, of=envelopes)
    bench.compare(f"produce {human(envelopes)} JSON envelopes, key and 3 headers", "CPU ≤ 3×", ours, own)

    topic = topics.fresh()
    load = [MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "-d", "@" + keyed, "-K", ":"]
    subprocess.run(load, check=True)
    out, peer_out = bench.path("out"), bench.path("peer-out")

    def whole(path):
        return lambda _: check(lines_in(path), count, f"lines in {path}")

    def tail(form, kcat_form, goal, what):
        def sorted_lines(path):
            return subprocess.run(f"LC_ALL=C sort {path} | md5sum", shell=True, check=True, stdout=subprocess.PIPE).stdout

        base = [MSCOMM, "kafka", "tail", topic, "-s", KAFKA, "--from", "begin", "--until-end", *settings(CONSUMER)]
        ours = Side("mscomm", [*base, "-o", form], stdout=out, after=whole(out))
        kcat = ["kcat", "-C", "-q", "-e", "-b", KAFKA, "-t", topic, "-o", "beginning", *settings(CONSUMER), *kcat_form]
        theirs = Side(" ".join(["kcat -C -e -q", *kcat_form[:1]]), kcat, stdout=peer_out, after=whole(peer_out))
        bench.compare(f"tail {human(count)} {what}", goal, ours, theirs)
        # The same lines, too, where both have the same form.
        if "-J" not in kcat_form:
            check(sorted_lines(out), sorted_lines(peer_out), f"digest of {what}")

    form = "%t %p %o %k %s\\n"
    tail("raw", [], goal, "raw to a file")
    tail("json", ["-J"], "speed ≥ 1.5×, CPU ≤ 0.7×", "as JSON")
    tail(form, ["-f", form], goal, "by a format string")

    groups = iter(range(1 << 30))

    def group():
        return f"bench-{os.getpid()}-{next(groups)}"

    ours = Side(
        "mscomm",
        lambda g: [MSCOMM, "kafka", "tail", topic, "-s", KAFKA, "--group", g, "-n", str(count), "-o", "raw", *settings(CONSUMER)],
        stdout=out,
        before=group,
        after=whole(out),
    )
    # Without `-q` it would say on standard error what it is given; `-c` as `-n`, for `-e` may end a group too early.
    theirs = Side(
        "kcat -G",
        lambda g: ["kcat", "-q", "-b", KAFKA, "-c", str(count), *settings(CONSUMER), "-X", "auto.offset.reset=earliest", "-G", g, topic],
        stdout=peer_out,
        before=group,
        after=whole(peer_out),
    )
    bench.compare(f"tail {human(count)} in a group, commits after the flush", "speed ≥ 1.0×", ours, theirs)
    topics.drop(topic)


# ---------------------------------------------------------------- AMQP


def queue_length(queue):
    listed = output_of([RABBITMQCTL, "-q", "list_queues", "name", "messages", "--no-table-headers"])
    return dict(line.split("\t") for line in listed.splitlines())[queue]


def amqp(bench, scale):
    count, queue = 200_000 // scale, f"bench-{os.getpid()}"
    lines, out = bench.path("lines"), bench.path("out")
    write_lines(lines, count, lambda n: payload(n, 101))
    mscomm = [MSCOMM, "-q", "amqp"]
    server = ["-s", AMQP]
    # What the tests run with is so little that full queues would raise the alarm, and publishers wait.
    subprocess.run([RABBITMQCTL, "-q", "set_vm_memory_high_watermark", "absolute", "4GB"], check=True)
    subprocess.run([*mscomm, "queue", "declare", queue, *server], check=True)

    def empty():
        subprocess.run([*mscomm, "queue", "purge", queue, *server], check=True, stdout=subprocess.DEVNULL)
        return queue

    def full():
        empty()
        subprocess.run([*mscomm, "publish", "-k", queue, "-d", "@" + lines, *server], check=True)
        return queue

    def holds(wanted):
        return lambda _: check(settled_length(queue, wanted), wanted, f"messages in {queue}")

    def drained(path=None):
        def after(_):
            holds(0)(_)
            if path:
                check(lines_in(path), count, f"lines in {path}")

        return after

    publish = [*mscomm, "publish", "-k", queue, "-d", "@" + lines, *server]
    what = f"{human(count)} × 100 B"
    bench.compare(
        f"publish {what} confirmed, window of 1000",
        "speed ≥ 1.0×, CPU ≤ 0.5×",
        Side("mscomm", [*publish, "--window", "1000"], before=empty, after=holds(count)),
        Side("perf-test -c 1000", [*PERF_TEST, "-p", "-u", queue, "-e", "", "-k", queue, "-x", "1", "-y", "0", "-s", "100", "-c", "1000", "-C", str(count)], before=empty, after=holds(count)),
    )
    bench.compare(
        f"publish {what} unconfirmed",
        "speed ≥ 1.0×, CPU ≤ 1.0×",
        Side("mscomm", [*publish, "--no-confirm"], before=empty, after=holds(count)),
        Side("amqp-publish -l", ["amqp-publish", "-u", AMQP_PEER, "-r", queue, "-l"], stdin=lines, before=empty, after=holds(count)),
    )
    consume = Side(
        "mscomm",
        [*mscomm, "consume", queue, *server, "-n", str(count), "-o", "raw"],
        stdout=out,
        before=full,
        after=drained(out),
    )
    bench.compare(
        f"consume {what} acked after the output",
        "speed ≥ 1.0×, CPU ≤ 0.5×",
        consume,
        Side("perf-test -q 1000 -A 100", [*PERF_TEST, "-p", "-u", queue, "-x", "0", "-y", "1", "-q", "1000", "-A", "100", "-D", str(count)], before=full, after=drained()),
    )
    # It starts a process a message, so that a hundredth of the work is enough for both.
    some = count // 100
    left = holds(count - some)
    bench.compare(
        f"consume {human(some)} × 100 B, acked",
        "speed ≥ 1.0×, CPU ≤ 0.5×",
        Side("mscomm", [*mscomm, "consume", queue, *server, "-n", str(some), "-o", "raw"], stdout=out, before=full, after=left),
        Side("amqp-consume cat", ["amqp-consume", "-u", AMQP_PEER, "-q", queue, "-p", "1000", "-c", str(some), "cat"], stdout=out, before=full, after=left),
    )
    subprocess.run([*mscomm, "queue", "delete", queue, *server], check=True)


def settled_length(queue, wanted):
    """What a client left behind is back in the queue, and what it sent last is in it, a moment after it has gone."""
    until = time.monotonic() + 20
    while (got := int(queue_length(queue))) != wanted and time.monotonic() < until:
        time.sleep(0.1)
    return got


# ---------------------------------------------------------------- gRPC


def grpc(bench, scale):
    server = subprocess.Popen(
        [os.environ["MSCOMM_TEST_INTEROP"], "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    address = server.stdout.readline().strip()
    service = "grpc.testing.TestService/"
    out, peer_out = bench.path("out"), bench.path("peer-out")
    ours = [MSCOMM, "grpc", "call", "-s", address, "--plaintext", "-o", "raw"]
    theirs = [GRPCURL, "-plaintext", "-max-time", "600"]

    def answered(path, test, what):
        return lambda _: check(test(path), True, what)

    def says(text):
        return lambda path: text in pathlib.Path(path).read_text()

    request = '{"response_size":10,"payload":{"body":"AAAA"}}'
    reply = answered(out, says("AAAAAAAAAAAAAA=="), "the response"), answered(peer_out, says("AAAAAAAAAAAAAA=="), "the response")
    bench.compare(
        "one unary call as a process, reflection included",
        "wall ≤ 0.5× (speed ≥ 2×), CPU ≤ 0.5×",
        Side("mscomm", [*ours, service + "UnaryCall", "-d", request], stdout=out, after=reply[0]),
        Side("grpcurl", [*theirs, "-d", request, address, service + "UnaryCall"], stdout=peer_out, after=reply[1]),
        rounds=bench.rounds * 6,
    )
    streamed = 100_000 // scale
    many = bench.path("many")
    pathlib.Path(many).write_text(json.dumps({"response_parameters": [{"size": 10}] * streamed}))

    def count(path):
        return subprocess.run(["grep", "-c", "AAAAAAAAAAAAAA==", path], stdout=subprocess.PIPE, text=True).stdout.strip()

    def all_of(path):
        return answered(path, lambda p: int(count(p)) == streamed, "the responses")

    bench.compare(
        f"a server stream of {human(streamed)} small messages to a file",
        "speed ≥ 3×, CPU ≤ 0.4×",
        Side("mscomm", [*ours, service + "StreamingOutputCall", "-d", "@" + many], stdout=out, after=all_of(out)),
        Side("grpcurl", [*theirs, "-d", "@", address, service + "StreamingOutputCall"], stdin=many, stdout=peer_out, after=all_of(peer_out)),
    )
    sent = 1_000_000 // scale
    body = base64.b64encode(b"0123456789").decode()
    write_lines(many, sent, lambda n: f'{{"payload":{{"body":"{body}"}}}}\n')
    total = says(str(10 * sent))
    bench.compare(
        f"a client stream of {human(sent)} messages from stdin",
        "speed ≥ 2×, memory bounded",
        Side("mscomm", [*ours, service + "StreamingInputCall"], stdin=many, stdout=out, after=answered(out, total, "the sum")),
        Side("grpcurl", [*theirs, "-d", "@", address, service + "StreamingInputCall"], stdin=many, stdout=peer_out, after=answered(peer_out, total, "the sum")),
    )
    server.stdin.close()
    server.wait(10)


# ---------------------------------------------------------------- start


def start(bench, _scale):
    rounds, goal = bench.rounds * 12, "wall ≤ 5 ms, ≤ 1.0×"
    kcat = Side("kcat -V", ["kcat", "-V"])
    grpcurl = Side("grpcurl -version", [GRPCURL, "-version"])
    for argv in (["--version"], ["--help"], ["completions", "bash"]):
        ours = Side("mscomm", [MSCOMM, *argv])
        bench.compare(" ".join(["mscomm", *argv]), goal, ours, kcat, rounds)
    bench.compare("mscomm --version", goal, Side("mscomm", [MSCOMM, "--version"]), grpcurl, rounds)


# ---------------------------------------------------------------- memory


def peak(argv, feed, seconds=1200):
    """Runs a program whose input comes from `feed`; its peak memory in MB and its exit code."""
    with tempfile.TemporaryFile() as stderr:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            feed(child.stdin)
            child.stdin.close()
        except BrokenPipeError:
            pass
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        return usage.ru_maxrss / 1024, child.returncode, stderr.read().decode(errors="replace").strip()


def memory(bench, scale):
    topics = Topics()
    megabyte = b"".join(payload(n, 1024).encode() for n in range(1024))

    def lines(gigabytes):
        return gigabytes * 1024 // scale * 1024

    def bulk(gigabytes):
        def feed(pipe):
            for _ in range(lines(gigabytes) // 1024):
                pipe.write(megabyte)

        return feed

    retention = ["--set", "retention.bytes=67108864", "--set", "segment.bytes=33554432"]
    peaks = []
    for name, argv in (
        ("mscomm", lambda t: [MSCOMM, "kafka", "produce", t, "-s", KAFKA]),
        ("kcat", lambda t: ["kcat", "-P", "-b", KAFKA, "-t", t]),
    ):
        topic = topics.fresh(*retention)
        used, code, said = peak(argv(topic), bulk(10))
        check(code, 0, f"{name}: {said}")
        topics.check(lines(10))(topic)
        peaks.append(f"{name} {used:.0f} MB")
    bench.fact("10 GB of 1 KB lines → a topic (goal ≤ 64 MB)", ", ".join(peaks))

    queue = f"bench-{os.getpid()}"
    mscomm = [MSCOMM, "-q", "amqp"]
    declare = [*mscomm, "queue", "declare", queue, "-s", AMQP, "--argument", "x-max-length=1000"]
    subprocess.run(declare, check=True)
    used, code, said = peak([MSCOMM, "amqp", "publish", "-k", queue, "-s", AMQP], bulk(2))
    wanted = lines(2)
    check(f"sent {wanted}, confirmed {wanted}," in said, True, said)
    used_c, code, _ = peak(["amqp-publish", "-u", AMQP_PEER, "-r", queue, "-l"], bulk(2))
    bench.fact("2 GB of 1 KB lines → a queue with x-max-length (goal ≤ 64 MB)", f"mscomm, confirmed {used:.0f} MB, amqp-publish -l {used_c:.0f} MB")
    subprocess.run([*mscomm, "queue", "delete", queue, "-s", AMQP], check=True)

    stalled(bench, scale, topics)

    # 200 MB in one message is refused, with the limit named; 900 KB pass.
    topic = topics.fresh()
    used, code, said = peak([MSCOMM, "kafka", "produce", topic, "-s", KAFKA], lambda pipe: [pipe.write(b"x" * (1 << 20)) for _ in range(200)])
    check((code, "message.max.bytes" in said), (8, True), said)
    passed, code, said = peak([MSCOMM, "kafka", "produce", topic, "-s", KAFKA], lambda pipe: pipe.write(b"x" * 900_000))
    check(code, 0, said)
    topics.check(1)(topic)
    bench.fact("one message of 200 MB / of 900 KB", f"refused (exit 8, the limit named) at {used:.0f} MB / confirmed at {passed:.0f} MB")


def stalled(bench, scale, topics):
    """A reader that does not read for a minute, and then reads everything."""
    pause = 60 if scale == 1 else 5
    count = 1_000_000 // scale
    lines = bench.path("lines")
    write_lines(lines, count, lambda n: payload(n, 1024))
    topic = topics.fresh()
    subprocess.run([MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "-d", "@" + lines], check=True)
    queue, few = f"bench-{os.getpid()}", count // 10
    mscomm = [MSCOMM, "-q", "amqp"]
    subprocess.run([*mscomm, "queue", "declare", queue, "-s", AMQP], check=True)
    head = bench.path("head")
    with open(head, "wb") as file:
        subprocess.run(["head", "-n", str(few), lines], check=True, stdout=file)

    def fill():
        subprocess.run([*mscomm, "publish", "-k", queue, "-s", AMQP, "-d", "@" + head], check=True)

    tail = [MSCOMM, "kafka", "tail", topic, "-s", KAFKA, "--from", "begin", "--until-end"]
    kcat = ["kcat", "-C", "-q", "-e", "-b", KAFKA, "-t", topic, "-o", "beginning"]
    consume = [MSCOMM, "amqp", "consume", queue, "-s", AMQP, "-n", str(few)]
    peer = ["amqp-consume", "-u", AMQP_PEER, "-q", queue, "-p", "1000", "-c", str(min(few, 2000))]
    # A body has no newline of its own, and amqp-consume takes its command's flags for its own.
    echo = pathlib.Path(bench.path("echo"))
    echo.write_text("#!/bin/sh\ncat\necho\n")
    echo.chmod(0o755)
    peer.append(str(echo))
    for name, argv, wanted, before, goal in (
        ("tail", tail, count, None, True),
        ("kcat -C", kcat, count, None, False),
        ("consume", consume, few, fill, True),
        ("amqp-consume", peer, min(few, 2000), fill, False),
    ):
        if before:
            before()
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        got = 0
        while chunk := os.read(child.stdout.fileno(), 1 << 20):
            got += chunk.count(b"\n")
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        check((child.returncode, got), (0, wanted), f"{name} behind a stalled reader")
        bench.fact(f"{name} of 1 KB records into a reader that stalls {pause} s" + (" (goal ≤ 128 MB)" if goal else ""), f"{usage.ru_maxrss / 1024:.0f} MB, then all {human(wanted)} came")
    topics.drop(topic)
    subprocess.run([*mscomm, "queue", "delete", queue, "-s", AMQP], check=True)


# ---------------------------------------------------------------- inner loops


def inside(bench, _scale):
    """What divan measures in this process: nanoseconds and allocations of each loop, the fastest of its samples."""
    argv = ["cargo", "bench", "--quiet", "--locked", "--bench", "inner"]
    for line in output_of(argv).splitlines():
        # `├─ name   fastest │ slowest │ median │ …`, and below it what it allocated, when it did.
        if line[:2] in ("├─", "╰─"):
            name, fastest, unit = line[2:].split()[:3]
            bench.inner.append([f"`{name}`", f"{fastest} {unit}", "0"])
        elif bench.inner and line.startswith(("│", " ")) and bench.inner[-1][2] == "next":
            bench.inner[-1][2] = line.lstrip("│ ").split()[0]
        elif bench.inner and line.lstrip("│ ").startswith("alloc:"):
            bench.inner[-1][2] = "next"


# ---------------------------------------------------------------- report


def human(count):
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return str(count)


def versions():
    def first(argv):
        ended = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return (ended.stdout.splitlines() or [""])[0]

    kcat = next((l for l in subprocess.run(["kcat", "-V"], stdout=subprocess.PIPE, text=True).stdout.splitlines() if "Version" in l), "")
    return [
        first([MSCOMM, "--version"]),
        first(["rustc", "--version"]),
        kcat.strip(),
        "amqp-tools " + output_of(["dpkg-query", "-W", "-f", "${Version}", "amqp-tools"]),
        "RabbitMQ " + output_of(["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"]),
        "perf-test " + os.environ["MSCOMM_BENCH_PERF_TEST_VERSION"],
        # Its folder has the version; it does not know its own.
        "grpcurl " + os.path.basename(os.path.dirname(GRPCURL)).removeprefix("grpcurl-"),
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
    ]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def report(bench):
    text = ["# Side by side", "", __doc__.split("\n", 2)[2].strip(), ""]
    text += ["Median of the rounds; *speed* is the peer's wall clock over ours, *CPU ratio* ours over the peer's.", ""]
    text += table(HEAD, map(cells, bench.rows))
    if bench.facts:
        text += ["", *table(["memory", "found"], bench.facts)]
    if bench.inner:
        text += ["", *table(["inner loop (`tests/bench/inner.rs`)", "time", "allocations"], bench.inner)]
    text += ["", "Both producers: `" + " ".join(PRODUCER) + "`; both consumers: `" + " ".join(CONSUMER) + "`.", ""]
    text += ["How many records wait in a producer's queue is each side's default. kcat's JSON and format output are dominated by the second that its librdkafka pauses when its queue of fetched records is full.", ""]
    text += [NOTES, ""]
    text += ["A Java client's CPU has the start of its machine in it (about a second).", ""]
    text += ["- " + version for version in versions()]
    return "\n".join(text) + "\n"


WORKS = {"kafka": kafka, "amqp": amqp, "grpc": grpc, "start": start, "memory": memory, "inside": inside}


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("works", nargs="*", metavar="|".join(WORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=int, default=1, help="a fraction of the work, for a quick look: 10 is a tenth")
    parser.add_argument("--output", type=pathlib.Path, help="where to write the table; results.md for the whole benchmark")
    args = parser.parse_args()
    if unknown := set(args.works) - set(WORKS):
        parser.error(f"no such work: {', '.join(unknown)}; allowed: {', '.join(WORKS)}")
    with tempfile.TemporaryDirectory(prefix="mscomm-bench.") as scratch:
        bench = Bench(args.rounds, scratch)
        for name in args.works or WORKS:
            WORKS[name](bench, args.scale)
        text = report(bench)
    print(text)
    whole = not args.works and args.scale == 1
    if target := args.output or (RESULTS if whole else None):
        target.write_text(text)


main()
