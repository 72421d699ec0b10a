"""A thread that takes turns until it is told to end, and that never ends in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from sink_runtime import progress
from sink_runtime.patience import StoppingError


class Failures:
    """What threads died of. `stop` is set with the first."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._errors: SimpleQueue[BaseException] = SimpleQueue()

    def report(self, error: BaseException) -> None:
        """A thread ends by this error: the whole sink is to end."""
        self._errors.put(error)
        self._stop.set()

    def raise_first(self) -> None:
        """Raise what the first thread died of, if one did."""
        if not self._errors.empty():
            raise self._errors.get()


class Worker:
    """One named thread. `turn` is called again and again, and must return within seconds unless it waits by Patience."""

    def __init__(
        self, name: str, turn: Callable[[], None], ending: threading.Event, failures: Failures
    ) -> None:
        self.name = name
        self._turn = turn
        self._ending = ending
        self._failures = failures
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Whether it has ended, after at most `seconds`."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def has_ended(self) -> bool:
        """Whether the thread ran, and runs no longer."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def seconds_in_turn(self) -> float:
        """How long ago it last got on: its turn began, a statement of it ended, or a wait was over."""
        return progress.seconds_since(self._thread.ident)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                progress.mark()
                self._turn()
        except StoppingError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failures.report(error)
