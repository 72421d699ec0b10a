"""Trying again: with jittered backoff, for as long as it takes, and not a moment longer than the sink is to run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from sink_runtime.faults import Fault

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 5.0

T = TypeVar("T")


class StoppingError(Exception):
    """The sink was asked to stop while it waited for something."""


class Patience:
    """Waits for what is missing. `stop` is set when the sink is to end; no wait is longer than `longest` seconds."""

    def __init__(
        self,
        stop: threading.Event,
        log: structlog.typing.FilteringBoundLogger,
        longest: float = LONGEST_SECONDS,
    ) -> None:
        self.stop = stop
        self._log = log
        self._longest = longest

    @classmethod
    def within(
        cls, visibility_seconds: int, stop: threading.Event, log: structlog.typing.FilteringBoundLogger
    ) -> Patience:
        """Patience that leaves time to extend a visibility timeout between two attempts."""
        return cls(stop, log, min(LONGEST_SECONDS, visibility_seconds / 6))

    def until(self, attempt: Callable[[], T], meanwhile: Callable[[], None] = lambda: None) -> T:
        """The result of the first attempt that raises no Fault; `meanwhile` runs before each wait.

        Raises StoppingError once `stop` is set and an attempt has failed.
        """

        def before_sleep(state: RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome else None
            if isinstance(fault, Fault):
                self._tell(fault, state.attempt_number)
            meanwhile()

        retrying = Retrying(
            retry=retry_if_exception_type(Fault),
            wait=wait_random_exponential(multiplier=FIRST_SECONDS, max=self._longest),
            stop=stop_when_event_set(self.stop),
            sleep=sleep_using_event(self.stop),
            before_sleep=before_sleep,
        )
        try:
            return retrying(attempt)
        except RetryError as error:
            raise StoppingError from error

    def _tell(self, fault: Fault, attempt: int) -> None:
        log = self._log.error if fault.alarm else self._log.warning
        log("waiting", waits_for=fault.dependency, why=fault.text, attempt=attempt)
