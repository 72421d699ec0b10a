"""How many records a batch holds: as many as the plan says, fewer while commits take too long.

A message must be written, buried and deleted well within its visibility timeout, and a slow database is better served in
small bites. So a commit that takes more than a sixth of the timeout halves the batches to come, and one that is quick
lets them grow again.
"""

from __future__ import annotations

import threading

SMALLEST = 20  # below which a constraint that refuses everything would not be noticed
_TOO_LONG = 1 / 6  # of the visibility timeout
_QUICK = 1 / 24
_GROWTH = 1.25


class Pace:
    """The size of batches, shared by the writers."""

    def __init__(self, most_records: int, visibility_seconds: int) -> None:
        self._most = most_records
        self._visibility = visibility_seconds
        self._lock = threading.Lock()
        self.records = most_records

    def observe(self, seconds: float) -> None:
        """A batch took so long from its first attempt to its commit."""
        if seconds > self._visibility * _TOO_LONG:
            self._set(self.records // 2)
        elif seconds < self._visibility * _QUICK and self.records < self._most:
            self._set(int(self.records * _GROWTH) + 1)

    def slow_down(self) -> None:
        """A batch ran into the statement timeout."""
        self._set(self.records // 2)

    def _set(self, records: int) -> None:
        with self._lock:
            self.records = max(min(SMALLEST, self._most), min(self._most, records))
