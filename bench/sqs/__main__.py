"""`python -m bench.sqs`: serve until told to stop; the port is the first line of stdout.

`POST /bench/<verb>` with a JSON object controls it: see `bench.sqs.control`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys

from bench.sqs.actions import Service
from bench.sqs.control import Controls
from bench.sqs.http import Connection, Waiting

EXPIRY_SECONDS = 0.1


def main() -> None:
    """Serve on a free port of the loopback address, by uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve())
    else:
        uvloop.run(_serve())


async def _serve() -> None:
    gc.disable()  # hundreds of thousands of messages live long, and no cycle is made on the way
    loop = asyncio.get_running_loop()
    service, waiting, stop = Service(), Waiting(), asyncio.Event()
    controls = Controls(service, waiting)
    server = await loop.create_server(lambda: Connection(service, waiting, controls.answer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    service.endpoint = f"http://127.0.0.1:{port}"
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EXPIRY_SECONDS)
        for queue in service.queues.values():
            queue.expire()
            waiting.serve(queue)
    server.close()


if __name__ == "__main__":
    main()
