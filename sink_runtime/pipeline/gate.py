"""The gate before the receivers: open only while everything that a message needs is there.

What nobody receives cannot be received once too often: while the gate is closed, no receive count rises, and an outage
of any length sends nothing to the dead-letter queue. Whoever meets a fault closes the gate under its own name, goes on
trying alone, and opens it when the fault is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sink_runtime.faults import Fault


class Gate:
    """Closed as long as anyone holds it closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed: dict[str, Fault] = {}

    @property
    def closed_for(self) -> Mapping[str, Fault]:
        """Who holds it closed, and for what; empty while it is open."""
        with self._changed:
            return dict(self._closed)

    def close(self, holder: str, fault: Fault) -> None:
        """Hold the gate closed for a fault."""
        with self._changed:
            self._closed[holder] = fault

    def open(self, holder: str) -> None:
        """Hold it closed no longer."""
        if holder not in self._closed:  # the usual case, asked after every success
            return
        with self._changed:
            self._closed.pop(holder, None)
            self._changed.notify_all()

    def wait(self, seconds: float, besides: str = "") -> bool:
        """Whether it is open, after at most `seconds`; what `besides` itself holds it closed for does not count."""
        if not self._closed:  # the usual case, asked before every receive
            return True
        with self._changed:
            return self._changed.wait_for(lambda: not self._closed.keys() - {besides}, seconds)
