"""Publishing to RabbitMQ and consuming from it."""

import subprocess

from sides import *


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
        Side("perf-test -c 1000", [*perf_test(), "-p", "-u", queue, "-e", "", "-k", queue, "-x", "1", "-y", "0", "-s", "100", "-c", "1000", "-C", str(count)], before=empty, after=holds(count)),
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
        Side("perf-test -q 1000 -A 100", [*perf_test(), "-p", "-u", queue, "-x", "0", "-y", "1", "-q", "1000", "-A", "100", "-D", str(count)], before=full, after=drained()),
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
    # A command each, too. `true` would end amqp-consume, whose message it does not read.
    each = [*mscomm, "consume", queue, *server, "-n", str(some), "-o", "raw", "--exec", "cat"]
    cat = ["amqp-consume", "-u", AMQP_PEER, "-q", queue, "-p", "1000", "-c", str(some), "cat"]
    for flags, goal in (([], "speed ≥ 1.0×"), (["-j", "2"], "speed ≥ 1.67×")):
        ours = Side("mscomm", [*each, *flags], stdout=out, before=full, after=left)
        theirs = Side("amqp-consume cat", cat, stdout=out, before=full, after=left)
        bench.compare(" ".join([f"consume {human(some)} × 100 B --exec cat", *flags]), goal, ours, theirs)
    subprocess.run([*mscomm, "queue", "delete", queue, *server], check=True)
