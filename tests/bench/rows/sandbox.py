"""The sandbox's AMQP broker."""

import os
import subprocess

from sides import *


def broker(bench, scale):
    """The sandbox's AMQP broker beside RabbitMQ, with perf-test as the client of both: it is the brokers that differ."""
    count, queue = 1_000_000 // scale, f"bench-{os.getpid()}"
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
            confirmed = "confirmed, 1000 in flight" if not messages else "acked by the 100"
            bench.compare(
                f"perf-test {work} {human(count)} × 100 B {confirmed}: the broker",
                "speed ≥ 2×",
                side("sandbox", flags, messages, left),
                side("RabbitMQ", flags, messages, left),
            )
        subprocess.run([MSCOMM, "-q", "amqp", "queue", "delete", queue, "-s", AMQP], check=True)
