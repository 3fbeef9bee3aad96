"""Asking through a queue, answered by a gRPC service."""

import json
import os
import pathlib
import subprocess

from sides import *


def requests(bench, scale):
    """There is no peer that does this: what is told is how many round trips there are in a second, and how long they take."""
    count, jobs, queue = 10_000 // scale, "50", f"bench-asked-{os.getpid()}"
    work = f"{human(count)} requests -j {jobs} through a queue to a responder --via grpc call"
    if not bench.wants(work):
        return
    server = subprocess.Popen(
        [os.environ["MSCOMM_TEST_INTEROP"], "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    address = server.stdout.readline().strip()
    amqp = [MSCOMM, "-q", "amqp"]
    lines, out, report = bench.path("lines"), bench.path("out"), bench.path("report")
    write_lines(lines, count, lambda n: '{"response_size":10}\n')
    subprocess.run([*amqp, "queue", "declare", queue, "-s", AMQP], check=True)
    call = ["grpc", "call", "grpc.testing.TestService/UnaryCall", "-s", address, "--plaintext", "-j", jobs]
    responder = subprocess.Popen([*amqp, "respond", queue, "-s", AMQP, "--via", *call])
    request = [*amqp, "request", "-k", queue, "-s", AMQP, "-j", jobs, "-d", "@" + lines, f"--report=json={report}"]
    found = []
    for _ in range(bench.rounds):
        with open(out, "wb") as file:
            subprocess.run(request, stdout=file, check=True)
        check(lines_in(out), count, "answers")
        account = json.loads(pathlib.Path(report).read_text())
        took = account["seconds_to_answer"]
        found.append((count / account["seconds"], took["p50"] * 1000, took["p99"] * 1000))
    responder.terminate()
    responder.wait(10)
    subprocess.run([*amqp, "queue", "delete", queue, "-s", AMQP], check=True)
    server.stdin.close()
    server.wait(10)
    rate, p50, p99 = (sorted(column)[len(found) // 2] for column in zip(*found))
    bench.fact(work, f"{rate:.0f} round trips a second, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
