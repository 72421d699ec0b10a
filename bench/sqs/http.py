"""HTTP/1.1 with keep-alive, parsed by hand: what an SQS client sends is one POST with a Content-Length, and no more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bench.sqs.actions import PUBLISHED, Service, Wait
from bench.sqs.memory import MemoryQueue

_OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: 0\r\nContent-Length: "
)
_XML = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: "
_UNKNOWN = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: "
_UNKNOWN_BODY = b'{"__type":"com.amazonaws.sqs#UnsupportedOperation","message":"not in this server"}'
_LENGTH = b"\r\ncontent-length: "
_TARGET = b"\r\nx-amz-target: "
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Control = Callable[[str, bytes], bytes]


class Waiting:
    """Receives that wait for messages, first come first served."""

    def __init__(self) -> None:
        self._by_queue: dict[int, deque[tuple[Wait, Connection, int]]] = {}

    def add(self, wait: Wait, connection: Connection) -> None:
        """Answer with messages as soon as `serve` finds some, or empty when the time is over."""
        number = connection.begin_waiting()
        asyncio.get_running_loop().call_later(wait.seconds, connection.reply_late, number, b"{}")
        self._by_queue.setdefault(id(wait.queue), deque()).append((wait, connection, number))

    def serve(self, queue: MemoryQueue) -> None:
        """Give messages to who waits."""
        waiting = self._by_queue.get(id(queue))
        while waiting and queue.ready:
            wait, connection, number = waiting.popleft()
            if connection.is_waiting(number):
                connection.reply_late(number, wait.answer() or b"{}")


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, service: Service, waiting: Waiting, control: Control) -> None:
        self._service = service
        self._waiting = waiting
        self._control = control
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._waits = 0
        self._waiting_for = 0  # the number of the wait that is not answered yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own name
        """Nobody waits any more."""
        self._waiting_for = 0
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what has arrived."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._request():
            pass

    def _request(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = buffer[:end].lower() + b"\r\n"
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) : head.index(b"\r", at + 2)]) if at >= 0 else 0
        if len(buffer) < end + 4 + length:
            if b"\r\nexpect: 100" in head and len(buffer) == end + 4:
                self._write(_CONTINUE)
            return False
        body = buffer[end + 4 : end + 4 + length]
        self._buffer = buffer[end + 4 + length :]
        self._dispatch(buffer, head, body)
        return True

    def _dispatch(self, buffer: bytes, head: bytes, body: bytes) -> None:
        at = head.find(_TARGET)
        if at < 0:
            self._other(buffer, body)
            return
        at += len(_TARGET)
        action = buffer[at : head.index(b"\r", at)].rpartition(b".")[2]
        answer = self._service.answer(action, body)
        if isinstance(answer, Wait):
            self._waiting.add(answer, self)
        elif answer is None:
            self._reply(_UNKNOWN, _UNKNOWN_BODY)
        else:
            self._reply(_OK, answer)
            if action in (b"SendMessage", b"SendMessageBatch", b"ChangeMessageVisibilityBatch"):
                for queue in self._service.queues.values():
                    self._waiting.serve(queue)

    def _other(self, buffer: bytes, body: bytes) -> None:
        path = buffer.split(b" ", 2)[1].decode()
        if path.startswith("/bench/"):
            self._reply(_OK, self._control(path.removeprefix("/bench/"), body))
        elif b"Action=Publish" in body:
            self._reply(_XML, PUBLISHED)
        else:
            self._reply(_UNKNOWN, _UNKNOWN_BODY)

    def begin_waiting(self) -> int:
        """The number of a new wait."""
        self._waits += 1
        self._waiting_for = self._waits
        return self._waits

    def is_waiting(self, number: int) -> bool:
        """Whether this very wait still goes on."""
        return self._waiting_for == number and self._transport is not None

    def reply_late(self, number: int, answer: bytes) -> None:
        """The answer to a receive that waited; nothing where it has been answered."""
        if self.is_waiting(number):
            self._waiting_for = 0
            self._reply(_OK, answer)

    def _reply(self, head: bytes, body: bytes) -> None:
        self._write(head + b"%d\r\n\r\n" % len(body) + body)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
