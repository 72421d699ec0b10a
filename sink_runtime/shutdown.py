"""SIGTERM and SIGINT ask the sink to stop; it ends when the batch in hand is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def on_signals() -> threading.Event:
    """An event that is set once the process is asked to stop. To be called from the main thread."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        # Not from here: a second signal, met within set() itself, would wait for the first one for ever.
        threading.Thread(target=stop.set, name="stop", daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return stop
