"""The benchmark behind tests/bench/run: mscomm and a peer alternately, the same work with the same settings.

Each side is a whole process, measured from its start to its end: wall clock, CPU seconds (user + system) and peak memory of
that process and its children as the kernel counts them. Every run is checked at the far end, and one that moved too little
ends the benchmark: a figure is worth nothing when the work was not done. No figure ever does.
"""

import argparse
import os
import pathlib
import platform
import subprocess
import tempfile

from rows import amqp, bridge, grpc, inside, kafka, memory, one, requests, sandbox, schemas, start
from sides import AGAINST_HEAD, CONSUMER, GRPCURL, HEAD, MSCOMM, PRODUCER, ROOT, Bench, against_cells, cells, output_of

RESULTS = ROOT / "tests/bench/results.md"

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
        # Its folder has the version.
        "perf-test " + os.path.basename(os.path.dirname(os.environ["MSCOMM_TEST_PERF_TEST"])).removeprefix("perf-test-"),
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
        text += ["", *table(["what", "found"], bench.facts)]
    if bench.inner:
        text += ["", *table(["inner loop (`tests/bench/inner.rs`)", "time", "allocations"], bench.inner)]
    text += ["", "Both producers: `" + " ".join(PRODUCER) + "`; both consumers: `" + " ".join(CONSUMER) + "`.", ""]
    text += ["How many records wait in a producer's queue is each side's default. kcat's JSON and format output are dominated by the second that its librdkafka pauses when its queue of fetched records is full.", ""]
    text += [NOTES, ""]
    text += ["A Java client's CPU has the start of its machine in it (about a second). In the rows about the sandbox, wall, CPU and memory are the client's: they are about what it got from each broker. Kafka's performance tools are taken at their word, so that the start of Java's machine is not in it; what the brokers themselves take is told as their CPU.", ""]
    text += ["- " + version for version in versions()]
    return "\n".join(text) + "\n"


WORKS = {
    "kafka": kafka.kafka,
    "schemas": schemas.schemas,
    "one": one.one,
    "groups": one.groups,
    "amqp": amqp.amqp,
    "bridge": bridge.bridge,
    "requests": requests.requests,
    "sandbox": sandbox.sandbox_brokers,
    "grpc": grpc.grpc,
    "start": start.start,
    "memory": memory.memory,
    "inside": inside.inside,
}

# Those in which mscomm itself is measured, by verbs that are there in every version.
AGAINST = ["kafka", "amqp", "grpc", "start"]


def against_report(bench):
    text = ["# Old beside new", "", "Medians of the rounds, in which both take turns; the ratio is new over old.", ""]
    text += table(AGAINST_HEAD, map(against_cells, bench.rows))
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("rows", nargs="*", metavar="WORK|ROW", help=f"{', '.join(WORKS)}, or a part of the name of a row")
    parser.add_argument("--against", metavar="BINARY", help="an older mscomm, in place of the peers")
    parser.add_argument("--rounds", type=int, help="5, or 15 with --against")
    parser.add_argument("--scale", type=int, default=1, help="a fraction of the work, for a quick look: 10 is a tenth")
    parser.add_argument("--output", type=pathlib.Path, help="where to write the table; results.md for the whole benchmark")
    args = parser.parse_args()
    works = [name for name in args.rows if name in WORKS]
    parts = [name for name in args.rows if name not in WORKS]
    rounds = args.rounds or (15 if args.against else 5)
    with tempfile.TemporaryDirectory(prefix="mscomm-bench.") as scratch:
        bench = Bench(rounds, scratch, args.against, parts)
        for name in works or (AGAINST if args.against else WORKS):
            WORKS[name](bench, args.scale)
        if parts and not bench.rows and not bench.facts:
            parser.error(f"no row has this in its name: {', '.join(parts)}")
        text = against_report(bench) if args.against else report(bench)
    print(text)
    whole = not args.rows and not args.against and args.scale == 1
    if target := args.output or (RESULTS if whole else None):
        target.write_text(text)


main()
