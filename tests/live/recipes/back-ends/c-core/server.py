"""A health check on a free port of 127.0.0.1, until standard input ends."""

import concurrent.futures
import sys

import grpc


def check(request, context):
    return b"\x08\x01"


server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=16))
handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on 127.0.0.1:{port}", flush=True)
sys.stdin.read()
server.stop(None)
