"""Several calls side by side in one thread, by libcurl's multi interface.

A thread for each call would have them fight for Python's lock at every answer, which costs more than the calls do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import pycurl

from sink_runtime.sqs.queue import Room
from sink_runtime.sqs.wire import QueueFault, Wire

LONGEST_SECONDS = 1.0  # between two looks of libcurl at its own timeouts
ROOM_SECONDS = 0.05  # between two looks whether there is room for an answer that waits for it
NO_SOCKET_SECONDS = 0.005  # while libcurl has nothing to wait for yet: a name is being looked up

Tag = TypeVar("Tag")


class Lanes(Generic[Tag]):
    """As many calls at once as there are wires; for one thread. `Tag` is what the caller knows a call by."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._multi = pycurl.CurlMulti()
        self._idle = list(wires)
        self._busy: dict[pycurl.Curl, tuple[Wire, Tag]] = {}

    @property
    def free(self) -> int:
        """How many more calls may start."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """How many calls are under way."""
        return len(self._busy)

    def start(
        self, tag: Tag, action: str, body: bytes, wait_seconds: int = 0, room: Room | None = None
    ) -> None:
        """Begin `AmazonSQS.<action>`. Raises Fault where there are no credentials."""
        wire = self._idle[-1]
        wire.begin(action, body, wait_seconds, room)
        self._idle.pop()
        self._busy[wire.curl] = (wire, tag)
        self._multi.add_handle(wire.curl)

    def send(self) -> None:
        """Have the calls that were started leave now, not only when `finished` is asked."""
        self._multi.perform()

    def finished(self, seconds: float) -> list[tuple[Tag, dict[str, Any] | QueueFault]]:
        """The calls that have been answered; waits up to `seconds` for the first of them."""
        until = time.monotonic() + seconds
        while self._busy:
            self._multi.perform()
            done = self._done()
            # For room, now that those that have ended meanwhile are out.
            waiting = [wire for wire, _ in self._busy.values() if wire.waits]
            for wire in waiting:  # at every turn: others may be answered at each
                wire.go_on()
            left = until - time.monotonic()
            if done or left <= 0:
                return done
            longest = ROOM_SECONDS if waiting else LONGEST_SECONDS
            if self._multi.select(min(left, longest)) < 0:
                time.sleep(NO_SOCKET_SECONDS)
        return []

    def _done(self) -> list[tuple[Tag, dict[str, Any] | QueueFault]]:
        found: list[tuple[Tag, dict[str, Any] | QueueFault]] = []
        more = 1
        while more:
            more, good, bad = self._multi.info_read()
            found += [self._end(curl, None) for curl in good]
            found += [self._end(curl, number) for curl, number, _ in bad]
        return found

    def _end(self, curl: pycurl.Curl, error: int | None) -> tuple[Tag, dict[str, Any] | QueueFault]:
        self._multi.remove_handle(curl)
        wire, tag = self._busy.pop(curl)
        self._idle.append(wire)
        try:
            return tag, wire.end(error)
        except QueueFault as fault:
            return tag, fault
