"""What a benchmark tells the server: load, release, rewind, pace, counts.

load     {queue, messages, records, dataset, start}    hold so many messages of so many records each; `dataset` makes
                                                envelopes, else a message is one bare record
release  {queue}                                make what is held available
rewind   {queue}                                hold all messages again, and forget the counts
forget   {queue}                                a new, empty queue
pace     {queue, rate, seconds, records, dataset, start}   so many messages a second, made when they are sent
counts   {queue}                                what happened since the last rewind
secret   {secret}                               every secret's JSON object
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from bench.sqs.actions import Service
from bench.sqs.http import Waiting
from bench.sqs.memory import MemoryQueue
from bench.sqs.records import bodies

TICK_SECONDS = 0.005


class Controls:
    """The control calls of one service."""

    def __init__(self, service: Service, waiting: Waiting) -> None:
        self._service = service
        self._waiting = waiting
        self._tasks: set[asyncio.Task[None]] = set()
        self._verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "load": self._load,
            "release": self._release,
            "rewind": self._rewind,
            "forget": self._forget,
            "pace": self._pace,
            "counts": self._counts,
            "secret": self._secret,
        }

    def answer(self, verb: str, body: bytes) -> bytes:
        """Do it, and answer with JSON."""
        return orjson.dumps(self._verbs[verb](orjson.loads(body or b"{}")))

    def _queue(self, request: dict[str, Any]) -> MemoryQueue:
        return self._service.queue(request.get("queue", "buffer"))

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        self._queue(request).load(
            bodies(request["messages"], request["records"], request["dataset"], request.get("start", 0))
        )
        return {}

    def _release(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(request)
        at = time.time()
        queue.release()
        self._waiting.serve(queue)
        return {"at": at}

    def _rewind(self, request: dict[str, Any]) -> dict[str, Any]:
        self._queue(request).rewind()
        return {}

    def _forget(self, request: dict[str, Any]) -> dict[str, Any]:
        self._service.queues[request.get("queue", "buffer")] = MemoryQueue()
        return {}

    def _pace(self, request: dict[str, Any]) -> dict[str, Any]:
        task = asyncio.get_running_loop().create_task(self._produce(self._queue(request), request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return {}

    async def _produce(self, queue: MemoryQueue, request: dict[str, Any]) -> None:
        rate, records, dataset = request["rate"], request["records"], request["dataset"]
        started, sent, first = time.monotonic(), 0, request.get("start", 0)
        total = int(rate * request["seconds"])
        while sent < total:
            due = min(int((time.monotonic() - started) * rate), total) - sent
            if due:
                queue.add(bodies(due, records, dataset, first + sent * records))
                self._waiting.serve(queue)
                sent += due
            await asyncio.sleep(TICK_SECONDS)

    def _counts(self, request: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(request)
        return {
            **asdict(queue.counts),
            "ready": len(queue.ready),
            "in_flight": queue.in_flight,
            "sending": len(self._tasks),
        }

    def _secret(self, request: dict[str, Any]) -> dict[str, Any]:
        self._service.secret = request["secret"]
        return {}
