"""When each thread last got on: what tells a long turn from a thread that hangs."""

from __future__ import annotations

import threading
import time

_moments: dict[int, float] = {}


def mark() -> None:
    """The present thread gets on: a turn began, a statement ended, a wait is over."""
    _moments[threading.get_ident()] = time.monotonic()


def seconds_since(ident: int | None) -> float:
    """How long ago the thread of that identifier marked its last step; 0 where it never did."""
    now = time.monotonic()
    return now - _moments.get(ident or 0, now)
