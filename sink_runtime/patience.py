"""Trying again: with jittered backoff, for as long as it takes, and not a moment longer than the sink is to run."""

from __future__ import annotations

import threading
import time
from collections import Counter
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

from sink_runtime import progress
from sink_runtime.faults import Fault

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 5.0
LONGEST_ALARM_SECONDS = 15.0  # for what will not mend itself: a person must look first

T = TypeVar("T")


class StoppingError(Exception):
    """The sink was asked to stop while it waited for something."""


class Patience:
    """Waits for what is missing. `stop` is set when the sink is to end; waits grow to `longest` seconds.

    `waiting` is what each thread, by its name, waits for at the moment: health tells it from a thread that hangs.
    """

    def __init__(
        self,
        stop: threading.Event,
        log: structlog.typing.FilteringBoundLogger,
        longest: float = LONGEST_SECONDS,
        longest_alarm: float = LONGEST_ALARM_SECONDS,
    ) -> None:
        self.stop = stop
        self.waiting: dict[str, Fault] = {}
        self._log = log
        self._waits: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._usual = wait_random_exponential(multiplier=FIRST_SECONDS, max=longest)
        self._alarmed = wait_random_exponential(multiplier=FIRST_SECONDS, max=longest_alarm)

    def until(self, attempt: Callable[[], T], on_fault: Callable[[Fault], None] = lambda _: None) -> T:
        """The result of the first attempt that raises no Fault; `on_fault` is told of each before the wait after it.

        Raises StoppingError once `stop` is set and an attempt has failed.
        """
        try:
            return attempt()  # nearly always good; only a fault is worth the machinery
        except Fault as fault:
            return self.after(fault, attempt, on_fault)

    def after(
        self, first: Fault, attempt: Callable[[], T], on_fault: Callable[[Fault], None] = lambda _: None
    ) -> T:
        """As `until`, where a first attempt has raised `first` already: it begins with the wait."""
        name = threading.current_thread().name
        began = time.monotonic()
        failed = [first]

        def next_attempt() -> T:
            if failed:
                raise failed.pop()
            return attempt()

        def before_sleep(state: RetryCallState) -> None:
            fault = _fault_of(state)
            self.waiting[name] = fault
            on_fault(fault)
            self._tell(fault, state.attempt_number)

        retrying = Retrying(
            retry=retry_if_exception_type(Fault),
            wait=lambda state: (self._alarmed if _fault_of(state).alarm else self._usual)(state),
            stop=stop_when_event_set(self.stop),
            sleep=sleep_using_event(self.stop),
            before_sleep=before_sleep,
        )
        try:
            found = retrying(next_attempt)
        except RetryError as error:
            raise StoppingError from error
        finally:
            progress.mark()
            waited = self.waiting.pop(name, None)
        if waited:
            self._log.info(
                "went on", waited_for=waited.dependency, seconds=round(time.monotonic() - began, 1)
            )
        return found

    def waits(self) -> dict[str, int]:
        """How many attempts failed so far, by dependency."""
        with self._counting:
            return dict(self._waits)

    def _tell(self, fault: Fault, attempt: int) -> None:
        with self._counting:
            self._waits[fault.dependency] += 1
        log = self._log.error if fault.alarm else self._log.warning
        log("waiting", waits_for=fault.dependency, why=fault.text, attempt=attempt)


def _fault_of(state: RetryCallState) -> Fault:
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, Fault), "only a Fault is tried again"
    return fault
