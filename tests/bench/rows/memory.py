"""Peak memory, with more to move than fits into it."""

import os
import subprocess
import tempfile

from rows import still
from sides import *


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

    still.readers(bench, scale)
    still.bridges(bench, scale)

    # 200 MB in one message is refused, with the limit named; 900 KB pass.
    topic = topics.fresh()
    used, code, said = peak([MSCOMM, "kafka", "produce", topic, "-s", KAFKA], lambda pipe: [pipe.write(b"x" * (1 << 20)) for _ in range(200)])
    check((code, "message.max.bytes" in said), (8, True), said)
    passed, code, said = peak([MSCOMM, "kafka", "produce", topic, "-s", KAFKA], lambda pipe: pipe.write(b"x" * 900_000))
    check(code, 0, said)
    topics.check(1)(topic)
    bench.fact("one message of 200 MB / of 900 KB", f"refused (exit 8, the limit named) at {used:.0f} MB / confirmed at {passed:.0f} MB")
