"""Reading records whose schemas a registry has."""

import json
import os
import subprocess

from sides import *

AVRO = {
    "type": "record",
    "name": "Order",
    "namespace": "bench",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "customer", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "created", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "paid", "type": "boolean"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "weight", "type": "double"},
        {"name": "items", "type": "int"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["RETAIL", "TRADE"]}},
        {
            "name": "address",
            "type": {
                "type": "record",
                "name": "Address",
                "fields": [
                    {"name": "street", "type": "string"},
                    {"name": "city", "type": "string"},
                    {"name": "zip", "type": "int"},
                ],
            },
        },
    ],
}

PROTOBUF = """syntax = "proto3";
package bench;
message Order {
  int64 id = 1;
  string customer = 2;
  string total = 3;
  int64 created = 4;
  bool paid = 5;
  optional string note = 6;
  double weight = 7;
  int32 items = 8;
  enum Kind { RETAIL = 0; TRADE = 1; }
  Kind kind = 9;
  message Address { string street = 1; string city = 2; int32 zip = 3; }
  Address address = 10;
}
"""


def order(number, created):
    """The same order in either schema; the decimal is a text in both."""
    return {
        "id": number,
        "customer": f"customer {number % 9973}",
        "total": f"{number % 100_000}.{number % 90 + 10}",
        "created": created,
        "paid": number % 3 == 0,
        "note": None if number % 4 else "by hand",
        "weight": number % 1000 / 8,
        "items": number % 17,
        "kind": "TRADE" if number % 5 == 0 else "RETAIL",
        "address": {"street": f"Main street {number % 250}", "city": "Springfield", "zip": number % 89_999 + 10_000},
    }


def schemas(bench, scale):
    registry, python = os.environ["MSCOMM_TEST_REGISTRY"], os.environ["MSCOMM_TEST_PYTHON"]
    topics, count = Topics(), 1_000_000 // scale
    peer = os.path.join(os.path.dirname(__file__), "../peers/decode.py")
    out, peer_out = bench.path("out"), bench.path("peer-out")

    def whole(path):
        return lambda _: check(lines_in(path), count, f"lines in {path}")

    def row(kind, schema, text, created):
        work = f"tail --decode {kind} -o json, {human(count)} records of 10 fields, one a record of its own"
        if not bench.wants(work):
            return
        file, lines = bench.path(schema), bench.path(kind)
        with open(file, "w", encoding="ascii") as to:
            to.write(text)
        write_lines(lines, count, lambda n: json.dumps(order(n, created(n)), separators=(",", ":")) + "\n")
        if kind == "protobuf":
            protoc = [python, "-m", "grpc_tools.protoc", "-I", bench.scratch, "--python_out", bench.scratch, schema]
            subprocess.run(protoc, check=True, cwd=bench.scratch)
        topic = topics.fresh()
        subprocess.run(
            [MSCOMM, "-q", "kafka", "produce", topic, "-s", KAFKA, "--registry", registry, "--encode", kind]
            + ["--schema", file, "--register", "-d", "@" + lines],
            check=True,
        )
        base = [MSCOMM, "kafka", "tail", topic, "-s", KAFKA, "--registry", registry, "--from", "begin", "--until-end"]
        ours = Side("mscomm", [*base, *settings(CONSUMER), "--decode", kind, "-o", "json"], stdout=out, after=whole(out))
        theirs = [python, peer, kind, KAFKA, registry, topic, str(count), bench.scratch, *CONSUMER]
        name = "confluent-kafka's deserializer and json.dumps"
        bench.compare(work, "wall ≤ 0.25×, CPU ≤ 0.2×", ours, Side(name, theirs, stdout=peer_out, after=whole(peer_out)))
        topics.drop(topic)

    begin = 1_750_000_000_000
    row("avro", "order.avsc", json.dumps(AVRO), lambda n: f"2026-03-{n % 28 + 1:02}T{n % 24:02}:00:00.{n % 1000:03}Z")
    row("protobuf", "order.proto", PROTOBUF, lambda n: begin + n)
