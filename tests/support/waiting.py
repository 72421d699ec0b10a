"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 90.0  # only a test that fails waits so long
PAUSE_SECONDS = 0.05


def until(
    condition: Callable[[], bool],
    tell: Callable[[], str] = lambda: "",
    seconds: float = LONGEST_SECONDS,
) -> None:
    """Return once the condition holds. Raises AssertionError, with what `tell` says, where it never does."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"waited in vain\n{tell()}"
        time.sleep(PAUSE_SECONDS)
