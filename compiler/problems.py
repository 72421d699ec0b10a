"""What is wrong with an input, told so that its author can mend it.

Every stage of the compiler returns problems as values; nothing is raised until all are collected. `ProblemsError`
is raised once, at the edge (the command line, the Pulumi program).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`ERROR` stops the compiler; `WARNING` is shown and passes."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One finding in one file.

    `pointer` is a JSON path from the document's root (`$.table.key[1]`), empty where the file could not be parsed.
    `line` and `column` count from 1, columns in characters; both are None where a file has no position to name.
    `rule` is a stable kebab-case name that the documentation explains; `fix` is one sentence in the imperative.
    """

    file: str
    rule: str
    message: str
    pointer: str = ""
    line: int | None = None
    column: int | None = None
    fix: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        head = " ".join(part for part in (place, self.pointer) if part)
        tail = f" {self.fix}" if self.fix else ""
        label = "warning: " if self.severity is Severity.WARNING else ""
        return f"{head}: {label}{self.message}{tail} [{self.rule}]"


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without repeats, by file, then place, then rule: the same input prints the same text."""
    return tuple(
        sorted(
            set(problems),
            key=lambda p: (p.file, p.line or 0, p.column or 0, p.pointer, p.severity, p.rule, p.message),
        )
    )


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Only those that stop the compiler, ordered."""
    return ordered(p for p in problems if p.severity is Severity.ERROR)


Pointer = tuple[str | int, ...]


def json_path(pointer: Pointer) -> str:
    """`("table", "key", 1)` -> `$.table.key[1]`; keys that are no identifiers are quoted as JSON strings."""
    parts = ["$"]
    for step in pointer:
        match step:
            case int():
                parts.append(f"[{step}]")
            case str() if step.isidentifier() or (step.startswith("$") and step[1:].isidentifier()):
                parts.append(f".{step}")
            case str():
                parts.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(parts)


@dataclass(frozen=True)
class Finding:
    """What a rule says of a document, before its place in the file is known.

    `pointer` leads to the offending value; `at_key` asks for the position of its key instead (an unknown field, a
    name). `file` is set where the finding is in another file than the manifest (an example, a referenced schema).
    """

    pointer: Pointer
    rule: str
    message: str
    fix: str | None = None
    severity: Severity = Severity.ERROR
    at_key: bool = False
    file: str | None = None


class ProblemsError(Exception):
    """Raised once, at the edge, with every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = ordered(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
