"""`python -m dev.plugin aws|postgresql`: a provider that the engine starts. The first line of stdout is its port.

The engine adds its own address to the arguments, which is not needed. A killed engine leaves its plugins behind, so
this one ends when its parent is another process than at the start.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from dev.plugin.places import package
from dev.plugin.servicer import Servicer

HOST = "127.0.0.1"
THREADS = 8
PARENT_SECONDS = 0.5
# Plans stand in the properties of their objects, and may be larger than gRPC's 4 MB.
MESSAGE_BYTES = 400 * 1024 * 1024


def main() -> None:
    """Serve the provider that the first argument names."""
    serve(Servicer(package(sys.argv[1])))


def serve(servicer: Servicer) -> None:
    """Serve until the engine asks for the end by a signal, or is gone."""
    parent = os.getppid()
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
    ]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    print(port, flush=True)
    ended = Event()
    for asked in (signal.SIGINT, signal.SIGTERM):  # the engine's way to end its plugins
        signal.signal(asked, lambda *_: ended.set())
    while os.getppid() == parent and not ended.wait(PARENT_SECONDS):
        pass
    os._exit(0)  # without waiting for calls whose answers nobody takes


if __name__ == "__main__":
    main()
