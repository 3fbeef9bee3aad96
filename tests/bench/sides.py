"""What is measured, and how: a side is one program at one work, a row is two sides that take turns."""

import collections
import contextlib
import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MSCOMM = str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/mscomm")
KAFKA = os.environ["MSCOMM_TEST_KAFKA"]
KAFKA_LIB = os.environ["MSCOMM_TEST_KAFKA_LIB"]
AMQP = os.environ["MSCOMM_TEST_AMQP"]
# RabbitMQ's `/`, as rabbitmq-c and perf-test read a URI.
AMQP_PEER = AMQP + "%2f"
RABBITMQCTL = os.environ["MSCOMM_TEST_RABBITMQCTL"]
GRPCURL = os.environ["MSCOMM_TEST_GRPCURL"]

# Said to both sides. How many records wait in the queue is each side's own choice: mscomm's is far less than kcat's 100,000.
PRODUCER = [
    "acks=all",
    "enable.idempotence=true",
    "linger.ms=5",
    "batch.num.messages=10000",
    "batch.size=1000000",
    "partitioner=murmur2_random",
]
CONSUMER = ["queued.max.messages.kbytes=32768", "fetch.wait.max.ms=100"]

Run = collections.namedtuple("Run", "wall cpu memory")


class Side:
    """One program at one work. `before` makes its place and gives the argv; `after` checks what arrived there. A program that
    goes on for ever has `until`, which waits until the work is done."""

    def __init__(self, name, argv, stdin=None, stdout=None, before=None, after=None, until=None):
        self.name, self.argv, self.stdin, self.stdout = name, argv, stdin, stdout
        self.before, self.after, self.until = before, after, until

    def run(self):
        place = self.before() if self.before else None
        argv = self.argv(place) if callable(self.argv) else self.argv
        with open(self.stdin or os.devnull, "rb") as stdin, open(self.stdout or os.devnull, "wb") as stdout:
            run = measure(argv, stdin, stdout, self.until and (lambda: self.until(place)))
        if self.after:
            self.after(place)
        return run

    def with_binary(self, name, binary):
        """The same side with another mscomm; `None` where it is not mscomm that is measured."""

        def other(argv):
            return [binary, *argv[1:]]

        if callable(self.argv):
            argv = lambda place: other(self.argv(place))  # noqa: E731
        elif self.argv[0] == MSCOMM:
            argv = other(self.argv)
        else:
            return None
        return Side(name, argv, self.stdin, self.stdout, self.before, self.after, self.until)


class Asked(Side):
    """What happens in a server: `work` does it, and gives the seconds that it took. Its CPU and its memory are the server's."""

    def __init__(self, name, work, before=None, after=None):
        super().__init__(name, None, before=before, after=after)
        self.work = work

    def run(self):
        place = self.before() if self.before else None
        wall = self.work(place)
        if self.after:
            self.after(place)
        return Run(wall, None, None)


def measure(argv, stdin, stdout, until=None):
    with tempfile.TemporaryFile() as stderr:
        started = time.perf_counter()
        child = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr)
        if until:
            return measure_until(child, started, until)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            stderr.seek(0)
            sys.exit(f"bench: exit {child.returncode}: {' '.join(argv)}\n{stderr.read()[-2000:].decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure_until(child, started, until):
    """Its goodbye is not measured."""
    try:
        until()
        wall = time.perf_counter() - started
        stat = pathlib.Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    finally:
        child.kill()
        child.wait()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return Run(wall, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), peak / 1024)


Row = collections.namedtuple("Row", "work peer goal ours theirs")


class Bench:
    """`against` is another binary of mscomm, which takes the place of every peer; `parts` are of the names of the rows that
    are wanted."""

    def __init__(self, rounds, scratch, against=None, parts=()):
        self.rounds, self.scratch, self.against, self.parts = rounds, scratch, against, parts
        self.rows, self.facts, self.inner = [], [], []
        if against:
            # A file that the linker wrote lies in the page cache in other pieces than one that was copied, and starts up to a
            # millisecond later: both are copies.
            self.old, self.new = (shutil.copy(binary, self.path(name)) for binary, name in ((against, "old"), (MSCOMM, "new")))

    def compare(self, work, goal, ours, theirs, rounds=None):
        """Runs both sides alternately; who begins changes, since the one before leaves the broker busy. True when the peer
        was one of them."""
        if not self.wants(work):
            return False
        rounds = rounds or self.rounds
        if self.against:
            ours, theirs = ours.with_binary("new", self.new), ours.with_binary("old", self.old)
            if not ours:
                return False
        print(f"# {work}", file=sys.stderr, flush=True)
        for side in (ours, theirs):
            side.run()
        runs = {ours: [], theirs: []}
        for number in range(rounds):
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                runs[side].append(side.run())
        row = Row(work, theirs.name, goal, runs[ours], runs[theirs])
        self.rows.append(row)
        print("  " + " | ".join(against_cells(row) if self.against else cells(row)), file=sys.stderr, flush=True)
        return not self.against

    def wants(self, work):
        """Whether a row of this name is asked for."""
        return not self.parts or any(part in work for part in self.parts)

    def fact(self, work, text):
        print(f"# {work}: {text}", file=sys.stderr, flush=True)
        self.facts.append((work, text))

    def path(self, name):
        return os.path.join(self.scratch, name)


# ---------------------------------------------------------------- tables


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def both(ours, theirs, form):
    return " / ".join("–" if value is None else form(value) for value in (ours, theirs))


def of(runs, field):
    return [value for run in runs if (value := getattr(run, field)) is not None]


def median(runs, field):
    return statistics.median(values) if (values := of(runs, field)) else None


HEAD = ["work", "peer", "wall, ours / theirs", "speed", "CPU, ours / theirs", "CPU ratio", "peak memory", "spread of wall", "goal"]


def cells(row):
    def spread(runs):
        walls = of(runs, "wall")
        return f"{seconds(min(walls))} – {seconds(max(walls))}"

    wall, wall_peer = median(row.ours, "wall"), median(row.theirs, "wall")
    cpu, cpu_peer = median(row.ours, "cpu"), median(row.theirs, "cpu")
    memory = [max(of(runs, "memory"), default=None) for runs in (row.ours, row.theirs)]
    return [
        row.work,
        row.peer,
        both(wall, wall_peer, seconds),
        f"{wall_peer / wall:.2f}×",
        both(cpu, cpu_peer, seconds),
        f"{cpu / cpu_peer:.2f}×" if cpu_peer else "–",
        both(*memory, lambda value: f"{value:.0f}") + " MB",
        f"{spread(row.ours)}; {spread(row.theirs)}",
        row.goal,
    ]


AGAINST_HEAD = ["work", "wall, old / new", "wall ratio", "spread of wall, old; new", "CPU, old / new", "CPU ratio", "spread of CPU, old; new", "peak memory", "verdict"]


def against_cells(row):
    """A verdict is more than 5 % and more than half of what the old one's runs are apart. Where the broker sets the wall clock,
    the CPU decides."""
    text, verdicts = [row.work], []
    for field in ("wall", "cpu"):
        old, new = median(row.theirs, field), median(row.ours, field)
        olds, news = of(row.theirs, field), of(row.ours, field)
        apart = max(0.05 * old, (max(olds) - min(olds)) / 2)
        if abs(new - old) > apart:
            verdicts.append(f"{'slower' if new > old else 'faster'} ({field})")
        spread = "; ".join(f"{seconds(min(runs))} – {seconds(max(runs))}" for runs in (olds, news))
        text += [both(old, new, seconds), f"{new / old:.2f}×", spread]
    memory = [max(of(runs, "memory")) for runs in (row.theirs, row.ours)]
    return [*text, both(*memory, lambda value: f"{value:.0f}") + " MB", ", ".join(verdicts) or "same"]


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


def records_in(topic, server=KAFKA, partitions=4):
    """kcat says where each partition ends: not mscomm's own word for what it has done. 0 while there is no such topic."""
    asked = (word for partition in range(partitions) for word in ("-t", f"{topic}:{partition}:-1"))
    ends = subprocess.run(["kcat", "-Q", "-b", server, *asked], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return 0 if ends.returncode else sum(int(line.split()[-1]) for line in ends.stdout.splitlines())


class Topics:
    """A fresh topic a run, so that no run finds what another one left."""

    numbers = itertools.count(1)

    def fresh(self, *more):
        topic = f"bench-{os.getpid()}-{next(self.numbers)}"
        subprocess.run(
            [MSCOMM, "-q", "kafka", "topic", "create", topic, "-s", KAFKA, "--partitions", "4", *more], check=True
        )
        # A broker that has just said yes still refuses the first records for a moment.
        time.sleep(0.5)
        return topic

    def check(self, count):
        def after(topic):
            check(records_in(topic), count, f"records in {topic}")
            self.drop(topic)

        return after

    def drop(self, topic):
        subprocess.run([MSCOMM, "-q", "kafka", "topic", "delete", topic, "-s", KAFKA], check=True)


def settings(names):
    return [part for name in names for part in ("-X", name)]

def human(count):
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return str(count)


def perf_test(uri=AMQP_PEER):
    return ["java", "-cp", os.environ["MSCOMM_TEST_PERF_TEST"] + "/*", "com.rabbitmq.perf.PerfTest", "--uri", uri]


def queue_length(queue, server=AMQP):
    if server != AMQP:
        return output_of([MSCOMM, "-q", "amqp", "queue", "info", queue, "-s", server]).split("\t")[1]
    listed = output_of([RABBITMQCTL, "-q", "list_queues", "name", "messages", "--no-table-headers"])
    return dict(line.split("\t") for line in listed.splitlines())[queue]


def settled_length(queue, wanted, server=AMQP):
    """What a client left behind is back in the queue, and what it sent last is in it, a moment after it has gone."""
    until = time.monotonic() + 20
    while (got := int(queue_length(queue, server))) != wanted and time.monotonic() < until:
        time.sleep(0.1)
    return got


@contextlib.contextmanager
def sandbox(*flags):
    """A sandbox: its process, and what it tells its users in their environment."""
    with tempfile.TemporaryDirectory(prefix="mscomm-bench.") as scratch:
        ready = os.path.join(scratch, "ready")
        server = subprocess.Popen([MSCOMM, "-q", "sandbox", *flags, "--ready-file", ready], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not os.path.exists(ready):
                if server.poll() is not None:
                    sys.exit("bench: the sandbox did not start")
                time.sleep(0.01)
            told = output_of(["env", "-i", "sh", "-ac", f'. "{ready}"; env'])
            yield server, dict(line.split("=", 1) for line in told.splitlines())
        finally:
            server.terminate()
            server.wait()
