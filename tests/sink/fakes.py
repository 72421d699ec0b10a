"""A queue in memory, which fails when it is told to, and a log that keeps its lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from sink_runtime.pipeline.custody import Room
from sink_runtime.sqs.queue import BATCH_ENTRIES, EntryFailure, Outgoing, Received
from sink_runtime.sqs.wire import QueueFault

Answer = TypeVar("Answer")
Failing = list[EntryFailure] | QueueFault


@dataclass
class FakeQueue:
    """Keeps what was asked of it; each call takes the next of its method's `failures`, if there is one."""

    waiting: deque[Received] = field(default_factory=deque)
    deleted: list[str] = field(default_factory=list)
    hidden: list[tuple[str, int]] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    receives: int = 0
    failures: dict[str, deque[Failing]] = field(default_factory=dict)

    def fail(self, method: str, *failing: Failing) -> None:
        self.failures.setdefault(method, deque()).extend(failing)

    def receive(self, wait_seconds: int) -> Sequence[Received]:
        self.receives += 1
        self._next("receive")
        return [self.waiting.popleft() for _ in range(min(BATCH_ENTRIES, len(self.waiting)))]

    def delete(self, messages: Sequence[Received]) -> Sequence[EntryFailure]:
        failed = self._next("delete")
        self.deleted += _done([message.message_id for message in messages], failed)
        return failed

    def hide(self, messages: Sequence[Received], seconds: int) -> Sequence[EntryFailure]:
        failed = self._next("hide")
        self.hidden += _done([(message.message_id, seconds) for message in messages], failed)
        return failed

    def send(self, messages: Sequence[Outgoing]) -> Sequence[EntryFailure]:
        failed = self._next("send")
        self.sent += _done(list(messages), failed)
        return failed

    def _next(self, method: str) -> list[EntryFailure]:
        failing = self.failures.get(method)
        if not failing:
            return []
        found = failing.popleft()
        if isinstance(found, QueueFault):
            raise found
        return found


class FakeReceives:
    """Receives of a fake queue, side by side: each is answered when it is asked for."""

    def __init__(self, queue: FakeQueue, most: int = 1) -> None:
        self._queue = queue
        self._most = most
        self._rooms: list[Room] = []

    @property
    def free(self) -> int:
        return self._most - self.busy

    @property
    def busy(self) -> int:
        return len(self._rooms)

    def start(self, wait_seconds: int, room: Room) -> None:
        self._rooms.append(room)

    def send(self) -> None:
        pass

    def finished(self, seconds: float) -> list[tuple[Room, Sequence[Received] | QueueFault]]:
        found = [(room, _answer(lambda: self._queue.receive(0))) for room in self._rooms]
        self._rooms = []
        return found


class FakeDeletes:
    """Deletes of a fake queue, side by side."""

    def __init__(self, queue: FakeQueue, most: int = 1) -> None:
        self._queue = queue
        self._most = most
        self._under_way: list[list[Received]] = []

    @property
    def free(self) -> int:
        return self._most - len(self._under_way)

    @property
    def busy(self) -> int:
        return len(self._under_way)

    def start(self, messages: list[Received]) -> None:
        self._under_way.append(messages)

    def finished(self, seconds: float) -> list[tuple[list[Received], Sequence[EntryFailure] | QueueFault]]:
        found = [(some, _answer(lambda some=some: self._queue.delete(some))) for some in self._under_way]  # type: ignore[misc]
        self._under_way = []
        return found


def _answer(call: Callable[[], Answer]) -> Answer | QueueFault:
    try:
        return call()
    except QueueFault as fault:
        return fault


def _done(items: list[Any], failed: list[EntryFailure]) -> list[Any]:
    indexes = {failure.index for failure in failed}
    return [item for index, item in enumerate(items) if index not in indexes]


def silent_log() -> tuple[Any, list[Any]]:
    """A logger, and the lines that it was given."""
    lines: list[Any] = []

    def keep(_logger: Any, level: str, event: Any) -> Any:
        lines.append({"level": level, **event})
        raise structlog.DropEvent

    return structlog.wrap_logger(structlog.PrintLogger(), processors=[keep]), lines
