"""SIGINT while migrations run: the step in hand is finished, the next one is not begun."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Stop = Callable[[], bool]


def never() -> bool:
    """Nobody asks to stop."""
    return False


@contextmanager
def asked_by_sigint(tell: Callable[[str], None]) -> Iterator[Stop]:
    """Whether Ctrl-C was pressed in the block. A second one breaks the step in hand off, as if nobody had listened.

    Must be entered in the main thread.
    """
    asked: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)
        tell("  stopping after this step; press Ctrl-C again to break it off")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
