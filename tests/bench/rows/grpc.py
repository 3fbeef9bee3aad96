"""Calls."""

import base64
import json
import os
import pathlib
import subprocess

from sides import *


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
