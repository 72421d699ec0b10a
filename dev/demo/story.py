"""How the demo is told: chapters, the commands as a user would type them, and facts that hold or do not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.text import Text

WAIT_SECONDS = 90.0
POLL_SECONDS = 0.2

Value = TypeVar("Value")


class DemoError(Exception):
    """The story cannot go on; the message says what was found."""


class Story:
    """Prints the demo and keeps count of the facts that did not hold."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.console = Console(highlight=False, soft_wrap=True)
        self.chapters = 0
        self.wrong: list[str] = []

    def chapter(self, title: str) -> None:
        """A numbered headline."""
        self.chapters += 1
        self.console.print(Text(f"\n{self.chapters}. {title}", style="bold"))

    def sluice(
        self, *arguments: str, shown: str | None = None, fails: bool = False, quietly: bool = False
    ) -> str:
        """Run the command as a user would, show it unless `quietly`, and return its stdout.

        `shown` replaces what is printed of the arguments. Raises DemoError where it does not end as it should.
        """
        if not quietly:
            self.console.print(Text(f"   $ sluice {shown or ' '.join(arguments)}", style="cyan"))
        done = subprocess.run(
            [sys.executable, "-m", "compiler.cli.main", *arguments],
            cwd=self.project,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        if (done.returncode != 0) is not fails:
            raise DemoError(
                f"sluice {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    @contextmanager
    def meanwhile(self, work: Callable[[], object]) -> Iterator[None]:
        """Do something else at the same time; both have ended well at the end. Raises DemoError."""
        with ThreadPoolExecutor(1) as threads:
            other = threads.submit(work)
            yield
            other.result()

    def say(self, text: str) -> None:
        """A line of the story."""
        self.console.print(Text(f"   {text}"))

    def fact(self, text: str, found: Value, expected: Value) -> None:
        """A statement with `{}` for its number, true only where `found` equals `expected`."""
        holds = found == expected
        shown = _shown(found)
        line = text.replace("{}", shown)
        if holds:
            self.console.print(Text.assemble("   ", ("✔ ", "green"), line))
            return
        self.wrong.append(f"{line} (expected {expected})")
        self.console.print(Text.assemble("   ", ("✘ ", "red"), line, (f"  expected {expected}", "red")))

    def wait_for(self, what: str, holds: Callable[[], bool]) -> float:
        """Wait until the condition holds; seconds that it took. Raises DemoError after WAIT_SECONDS."""
        start = time.monotonic()
        while not holds():
            if time.monotonic() - start > WAIT_SECONDS:
                raise DemoError(f"waited {WAIT_SECONDS:.0f} s for {what}. `sluice dev status` says more.")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - start


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
