"""The benchmark's own client: the server as a process, its control calls, and a bare socket to find its ceiling with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Self

REGION = "eu-central-1"


class Server:
    """A running server. Its control calls go over one connection, which is not for several threads at once."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self._wire = BareClient(port)

    def close(self) -> None:
        """End the control connection; the process goes on."""
        self._wire.close()

    def queue_url(self, name: str) -> str:
        """A queue's URL; any name will do."""
        return f"{self.endpoint}/123456789012/{name}"

    def control(self, verb: str, **request: Any) -> dict[str, Any]:
        """One of `bench.sqs.control`'s verbs."""
        body = json.dumps(request).encode()
        head = f"POST /bench/{verb} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        answer: dict[str, Any] = json.loads(self._wire.exchange(head.encode() + body))
        return answer

    def counts(self) -> dict[str, Any]:
        """What happened to the buffer since the last rewind."""
        return self.control("counts")


class BareClient:
    """As little client as there can be: one socket, requests made beforehand, nothing signed, answers not parsed."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> bytes:
        """The body of the answer."""
        self._socket.sendall(request)
        answer = self._socket.recv(262_144)
        end = answer.index(b"\r\n\r\n") + 4
        at = answer.rindex(b"Content-Length: ", 0, end) + 16
        missing = end + int(answer[at : answer.index(b"\r", at)]) - len(answer)
        parts = [answer]
        while missing > 0:
            parts.append(self._socket.recv(missing))
            missing -= len(parts[-1])
        return b"".join(parts)[end:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def request(action: str, body: bytes) -> bytes:
    """The bytes of a call, with headers as long as a signed call's."""
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={'x' * 60}, SignedHeaders={'x' * 40}, Signature={'0' * 64}\r\n"
        "X-Amz-Date: 20261125T000000Z\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"X-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of its own process, ended at the end."""
    with subprocess.Popen([sys.executable, "-m", "bench.sqs"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            with closing(Server(process, int(process.stdout.readline()))) as server:
                yield server
        finally:
            process.terminate()
