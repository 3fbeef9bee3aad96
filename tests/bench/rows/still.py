"""Peak memory before somebody who takes nothing for a while."""

import os
import pathlib
import signal
import subprocess
import time

from sides import *


def readers(bench, scale):
    """A reader that does not read for a minute, and then reads everything."""
    topics = Topics()
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
    bridge = [MSCOMM, "bridge"]
    for name, argv, wanted, before, goal in (
        ("tail", tail, count, None, True),
        ("bridge Kafka → stdout", [*bridge, *tail[1:], "--to", "stdout"], count, None, True),
        ("kcat -C", kcat, count, None, False),
        ("consume", consume, few, fill, True),
        ("bridge AMQP → stdout", [*bridge, *consume[1:], "--to", "stdout"], few, fill, True),
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


def bridges(bench, scale):
    """Brokers that stand still for a while as the target, and then take everything."""
    pause, count = 20 if scale == 1 else 5, 300_000 // scale
    lines, topics, queue = bench.path("lines"), Topics(), f"bench-{os.getpid()}"
    write_lines(lines, count, lambda n: payload(n, 1024))
    topic = topics.fresh()
    subprocess.run([MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "-d", "@" + lines], check=True)
    subprocess.run([RABBITMQCTL, "-q", "set_vm_memory_high_watermark", "absolute", "4GB"], check=True)
    subprocess.run([MSCOMM, "-q", "amqp", "queue", "declare", queue, "-s", AMQP], check=True)

    def fill():
        subprocess.run([MSCOMM, "-q", "amqp", "publish", "-k", queue, "-s", AMQP, "-d", "@" + lines], check=True)

    tail = ["kafka", "tail", topic, "-s", KAFKA, "--from", "begin", "--until-end"]
    consume = ["amqp", "consume", queue, "-s", AMQP, "-n", str(count)]
    targets = {"Kafka": ["kafka", "produce", "to"], "AMQP": ["amqp", "publish", "-k", "to"]}
    for source, argv in (("Kafka", tail), ("AMQP", consume)):
        for target in targets:
            if source == "AMQP":
                fill()
            with sandbox("--only", "amqp,kafka", "--topic", "to:4", "--amqp-memory", "2GiB") as (server, environment):
                url, brokers = environment["AMQP_URL"], environment["KAFKA_BROKERS"]
                subprocess.run([MSCOMM, "-q", "amqp", "queue", "declare", "to", "-s", url], check=True)

                def arrived():
                    return records_in("to", brokers) if target == "Kafka" else int(queue_length("to", url))

                whole = [MSCOMM, "-q", "bridge", *argv, "--to", *targets[target], "-s", brokers if target == "Kafka" else url]
                child = subprocess.Popen(whole, stdout=subprocess.DEVNULL)
                until = time.monotonic() + 60
                while not arrived() and time.monotonic() < until:
                    time.sleep(0.001)
                server.send_signal(signal.SIGSTOP)
                time.sleep(pause)
                check(child.poll(), None, "the end of what cannot have ended")
                server.send_signal(signal.SIGCONT)
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
                name = f"bridge {source} → {target}"
                check((child.returncode, arrived()), (0, count), f"{name} whose target stands still")
            bench.fact(f"{name} of 1 KB messages, the target stands still for {pause} s (goal ≤ 128 MB)", f"{usage.ru_maxrss / 1024:.0f} MB, then all {human(count)} came")
    topics.drop(topic)
    subprocess.run([MSCOMM, "-q", "amqp", "queue", "delete", queue, "-s", AMQP], check=True)
