"""Trying for a lock again and again, never for long at a time: everyone behind the wait waits too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from compiler.migrate.errors import LockError


@dataclass(frozen=True)
class Patience:
    """How often a lock is tried for, and how many seconds are waited between two tries at most (jittered, growing).

    `longest` is for how many seconds a step may work by the table's size; None for as long as it takes.
    """

    attempts: int = 12
    pause: float = 15.0
    longest: int | None = None

    def attempt(
        self, action: Callable[[], None], who: Callable[[], str], tell: Callable[[str], None]
    ) -> None:
        """Run `action` until no lock is missing. `who` names the sessions in the way; `tell` is told before each wait.

        Raises LockError after the last try.
        """

        def before(state: RetryCallState) -> None:
            tell(f"  no lock yet (try {state.attempt_number} of {self.attempts}); in the way: {who()}")

        tries = Retrying(
            retry=retry_if_exception_type(psycopg.errors.LockNotAvailable),
            stop=stop_after_attempt(self.attempts),
            wait=wait_random_exponential(multiplier=min(1.0, self.pause), max=self.pause),
            before_sleep=before,
            reraise=True,
        )
        try:
            tries(action)
        except psycopg.errors.LockNotAvailable:
            raise LockError(
                f"The lock could not be had in {self.attempts} tries; in the way: {who()}.",
                "What was finished before is kept. End those sessions or wait for them, then run the command again.",
            ) from None
