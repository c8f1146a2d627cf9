"""grpcio as a client: health checks over one channel, one JSON line of what its user saw.

Runs on any Python from 3.6 with any grpcio that has a wheel for it, so it keeps to what all of them know, and encodes
the empty health request itself. The channel's connectivity is watched: without that, old releases notice a lost
connection only in the next call. Leaves out the reading of metadata and of `debug_error_string`.
"""

import argparse
import json
import sys
import time

import grpc


def words(failure):
    return "err {} | {}".format(failure.code(), failure.details())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--checks", type=int, default=2)
    arguments.add_argument("--tls", help="certificate to trust; the server is then muxbed.test")
    arguments.add_argument("--mode")
    arguments = arguments.parse_args()

    started = time.monotonic()
    output = []

    def since():
        return round(time.monotonic() - started, 3)

    if arguments.tls:
        with open(arguments.tls, "rb") as certificate:
            trusted = grpc.ssl_channel_credentials(root_certificates=certificate.read())
        options = [("grpc.ssl_target_name_override", "muxbed.test")]
        channel = grpc.secure_channel(arguments.address, trusted, options)
    else:
        channel = grpc.insecure_channel(arguments.address)
    channel.subscribe(lambda state: output.append("{:.3f} state {}".format(since(), state.name)), try_to_connect=True)

    check = channel.unary_unary("/grpc.health.v1.Health/Check", lambda message: message, lambda message: message)
    calls = []
    for number in range(arguments.checks):
        if number > 0:
            time.sleep(0.02)
        try:
            check(b"", timeout=25)
            calls.append({"at_s": since(), "error": None})
        except grpc.RpcError as failure:
            calls.append({"at_s": since(), "error": words(failure)})
            break
    if hasattr(channel, "close"):
        channel.close()
    print(json.dumps({"rpcs": calls, "output": list(output)}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
