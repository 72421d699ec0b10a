"""`python -m bench.sqs.ceiling`: how many messages a second the server itself can give and take, and what each costs it."""

from __future__ import annotations

import argparse
import re
import time

from bench.processes import cpu_seconds
from bench.sqs.client import BareClient, Server, request, running_server

_HANDLES = re.compile(rb'"ReceiptHandle":"([^"]+)"')


def main() -> None:
    """Load, drain by a bare client, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    arguments = parser.parse_args()
    with running_server() as server:
        print(ceiling(server, arguments.messages, 1))
        print(ceiling(server, arguments.messages // 10, 100))


def ceiling(server: Server, messages: int, records: int) -> str:
    """Receive and delete in tens; one line of text."""
    server.control("forget")
    server.control("load", messages=messages, records=records, dataset="alert_events" if records > 1 else "")
    server.control("release")
    before, started = cpu_seconds(server.pid), time.perf_counter()
    mine = time.process_time()
    with BareClient(server.port) as client:
        _drain(client, server.queue_url("buffer").encode())
    wall, cpu = time.perf_counter() - started, cpu_seconds(server.pid) - before
    mine = time.process_time() - mine
    deleted = server.counts()["deleted"]
    if deleted != messages:
        raise SystemExit(f"{deleted} of {messages} messages were deleted")
    return (
        f"the server's own ceiling, {records} records a message: {messages / wall:,.0f} messages/s received and deleted "
        f"in tens, {cpu / messages * 1e6:.1f} us of its CPU a message (the bare client {mine / messages * 1e6:.1f} us)"
    )


def _drain(client: BareClient, url: bytes) -> None:
    receive = request(
        "ReceiveMessage",
        b'{"QueueUrl":"'
        + url
        + b'","MaxNumberOfMessages":10,"MessageSystemAttributeNames":["SentTimestamp"]}',
    )
    while handles := _HANDLES.findall(client.exchange(receive)):
        entries = b",".join(
            [b'{"Id":"%d","ReceiptHandle":"%s"}' % (number, handle) for number, handle in enumerate(handles)]
        )
        client.exchange(
            request("DeleteMessageBatch", b'{"QueueUrl":"' + url + b'","Entries":[' + entries + b"]}")
        )


if __name__ == "__main__":
    main()
