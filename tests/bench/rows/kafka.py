"""Producing to Kafka and reading from it."""

import json
import os
import subprocess

from sides import *


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
        is_compared = bench.compare(f"tail {human(count)} {what}", goal, ours, theirs)
        # The same lines, too, where both have the same form.
        if is_compared and "-J" not in kcat_form:
            check(sorted_lines(out), sorted_lines(peer_out), f"digest of {what}")

    form = "%t %p %o %k %s\\n"
    tail("raw", [], goal, "raw to a file")
    tail("json", ["-J"], "speed ≥ 1.5×, CPU ≤ 0.7×", "as JSON")
    tail(form, ["-f", form], goal, "by a format string")

    some, one, peer_one = bench.path("some"), bench.path("one"), bench.path("peer-one")
    write_lines(some, count, lambda n: json.dumps({"id": n, "name": f"customer {n}", "note": "x" * 48}, separators=(",", ":")) + "\n")
    records = topics.fresh()
    subprocess.run([MSCOMM, "-q", "kafka", "produce", records, "-s", KAFKA, "-d", "@" + some], check=True)

    def found(path):
        return lambda _: check(lines_in(path), 1, f"lines in {path}")

    base = [MSCOMM, "kafka", "tail", records, "-s", KAFKA, "--until-end", *settings(CONSUMER)]
    kcat = f"kcat -C -q -e -b {KAFKA} -t {records} -o beginning {' '.join(settings(CONSUMER))}"
    bench.compare(
        f"tail --filter, {human(count)} JSON records",
        "CPU ≤ 0.25×",
        Side("mscomm", [*base, "--filter", ".value.id == 7"], stdout=one, after=found(one)),
        Side("kcat -C | jq -c", ["sh", "-c", f"{kcat} | jq -c 'select(.id == 7)'"], stdout=peer_one, after=found(peer_one)),
    )
    general = Side("mscomm, another program", [*base, "--filter", '.value.name | endswith(" 7")'], stdout=one, after=found(one))
    theirs = Side("kcat -C | jq -c", ["sh", "-c", f"{kcat} | jq -c 'select(.name | endswith(\" 7\"))'"], stdout=peer_one, after=found(peer_one))
    bench.compare(f"tail --filter by a function, {human(count)} JSON records", "speed ≥ 1.0×", general, theirs)
    topics.drop(records)

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
