"""One record, and one look at many groups: whole processes, most of whose time is the way to the brokers."""

import json
import os
import subprocess

from sides import *


def one(bench, _scale):
    topics, rounds = Topics(), bench.rounds * 8
    line = bench.path("line")
    write_lines(line, 1, lambda n: "x\n")
    topic = topics.fresh()
    # kcat waits `linger.ms` for more; the lone record of `-d` is waited for no more.
    produce = [MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "-d", "x"]
    kcat = ["kcat", "-P", "-b", KAFKA, "-t", topic]
    goal = "wall ≤ 1.0×, none over 3× the median"
    theirs = Side("kcat -P", kcat, stdin=line)
    bench.compare("produce one record", goal, Side("mscomm", produce), theirs, rounds)
    same = ["-X", "enable.idempotence=true"]
    theirs = Side("kcat -P -X enable.idempotence=true", [*kcat, *same], stdin=line)
    bench.compare("produce one record, idempotent as ours is", goal, Side("mscomm", produce), theirs, rounds)
    tail = [MSCOMM, "-q", "kafka", "tail", topic, "-s", KAFKA, "--from", "begin", "-n", "1"]
    theirs = Side("kcat -C", ["kcat", "-C", "-q", "-b", KAFKA, "-t", topic, "-o", "beginning", "-c", "1"])
    bench.compare("tail -n 1", goal, Side("mscomm", tail), theirs, rounds)
    topics.drop(topic)


def groups(bench, scale):
    count, partitions = 50 // min(scale, 10), 200
    names = [f"bench-{os.getpid()}-group-{n}" for n in range(count)]
    work = f"group describe of {count} groups × {partitions} partitions"
    if not bench.wants(work):
        return
    topic = f"bench-{os.getpid()}-groups"
    base = [MSCOMM, "-q", "kafka"]
    subprocess.run([*base, "topic", "create", topic, "-s", KAFKA, "--partitions", str(partitions)], check=True)
    for name in names:
        to = ["group", "reset", name, "-s", KAFKA, "--topic", topic, "--to", "begin", "-y"]
        subprocess.run([*base, *to], check=True, stdout=subprocess.DEVNULL)
    out, peer_out = bench.path("groups"), bench.path("peer-groups")

    def ours_whole(_):
        with open(out, encoding="utf-8") as file:
            check(sum(len(group["partitions"]) for group in map(json.loads, file)), count * partitions, "partitions")

    def theirs_whole(_):
        with open(peer_out, encoding="utf-8") as file:
            check(sum(topic in line for line in file), count * partitions, "partitions")

    ours = Side("mscomm", [*base, "group", "describe", *names, "-s", KAFKA, "-o", "json"], stdout=out, after=ours_whole)
    java = ["java", "-cp", KAFKA_LIB + "/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"]
    asked = [part for name in names for part in ("--group", name)]
    theirs = [*java, "--bootstrap-server", KAFKA, "--describe", *asked]
    bench.compare(work, "wall ≤ 0.3×", ours, Side("kafka-consumer-groups.sh", theirs, stdout=peer_out, after=theirs_whole))
    subprocess.run([*base, "group", "delete", *names, "-s", KAFKA, "-y"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*base, "topic", "delete", topic, "-s", KAFKA, "-y"], check=True)
