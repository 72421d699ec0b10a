"""Receivers -> batches: deliveries wait here until a writer is free and a batch is full, or old enough."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from sink_runtime.pipeline.pace import Pace
from sink_runtime.records.delivery import Delivery

BATCH_BYTES = 8 * 1024 * 1024  # of bodies and records; one message may go beyond


class Intake:
    """The buffer between receivers and writers. Its size is bounded by Custody, which counts what is received."""

    def __init__(self, pace: Pace, linger_seconds: float) -> None:
        self._pace = pace
        self._linger = linger_seconds
        self._arrived = threading.Condition()
        self._waiting: deque[Delivery] = deque()
        self._since = 0.0  # when the oldest one arrived
        self._records = 0
        self._bytes = 0
        self._is_closed = False
        self._collecting = (
            threading.Lock()
        )  # one writer at a time collects; the other one gets the next batch

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add what was received and read."""
        if not deliveries:
            return
        records = sum([delivery.weight for delivery in deliveries])
        size = sum([delivery.size for delivery in deliveries])
        with self._arrived:
            begins = not self._waiting
            if begins:
                self._since = time.monotonic()
            self._waiting.extend(deliveries)
            self._records += records
            self._bytes += size
            if begins or self._is_full():  # waking a writer for nothing would cost more than all else here
                self._arrived.notify()

    def take(self, seconds: float) -> list[Delivery]:
        """The next batch; empty where none has begun within `seconds`, or the intake is closed."""
        until = time.monotonic() + seconds
        if not self._collecting.acquire(timeout=seconds):
            return []
        try:
            with self._arrived:
                if not self._arrived.wait_for(self._has_begun, max(0.0, until - time.monotonic())):
                    return []
                closes = self._since + self._linger
                self._arrived.wait_for(self._is_full, max(0.0, closes - time.monotonic()))
                return self._cut()
        finally:
            self._collecting.release()

    def close(self) -> None:
        """No more batches: what waits here is to be given back."""
        with self._arrived:
            self._is_closed = True
            self._arrived.notify_all()

    def counts(self) -> tuple[int, int]:
        """Records and bytes that wait for a writer."""
        with self._arrived:
            return self._records, self._bytes

    def _has_begun(self) -> bool:
        return self._is_closed or bool(self._waiting)

    def _is_full(self) -> bool:
        return self._is_closed or self._records >= self._pace.records or self._bytes >= BATCH_BYTES

    def _cut(self) -> list[Delivery]:
        if self._is_closed:
            return []
        batch: list[Delivery] = []
        records, size = 0, 0
        while self._waiting:
            one = self._waiting[0]
            if batch and (records + one.weight > self._pace.records or size + one.size > BATCH_BYTES):
                break
            batch.append(self._waiting.popleft())
            records += one.weight
            size += one.size
        self._records -= records
        self._bytes -= size
        self._since = time.monotonic()
        return batch
