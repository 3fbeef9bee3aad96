"""A server of oracle.Corpus that gives back what it gets and describes itself as grpcio does: with reflection v1alpha alone.

It prints its address as one line, and ends with its standard input.
"""

import pathlib
import sys
import tempfile
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection

import corpus

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "corpus.binpb"
    corpus.compile_sources(corpus.HERE, path, "service.proto")
    files = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)


def echo(requests, _):
    yield from requests


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method.startswith("/oracle.Corpus/"):
            return grpc.stream_stream_rpc_method_handler(echo)
        return None


server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Echo()])
reflection.enable_server_reflection(("oracle.Corpus", reflection.SERVICE_NAME), server, pool=pool)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"127.0.0.1:{port}", flush=True)
sys.stdin.read()
server.stop(None)
