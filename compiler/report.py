"""Problems as a person reads them, or as a machine does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

from compiler.problems import Problem, Severity


def as_text(problems: Iterable[Problem]) -> str:
    """One line for each problem: place, JSON path, what is wrong, how to fix it, the rule."""
    return "".join(f"{problem}\n" for problem in problems)


def as_json(problems: Iterable[Problem], datasets: int) -> str:
    """`{"datasets": N, "errors": N, "warnings": N, "problems": [...]}`, indented; the fields are stable.

    Each problem has `file`, `line`, `column`, `pointer`, `rule`, `severity`, `message` and `fix`; what a problem does
    not have is null.
    """
    listed = tuple(problems)
    document = {
        "datasets": datasets,
        "errors": _count(listed, Severity.ERROR),
        "warnings": _count(listed, Severity.WARNING),
        "problems": [_as_dict(problem) for problem in listed],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def summary(problems: Iterable[Problem], datasets: int) -> str:
    """`3 datasets, 0 problems`; warnings are counted apart, where there are any."""
    listed = tuple(problems)
    warnings = _count(listed, Severity.WARNING)
    parts = [_counted(datasets, "dataset"), _counted(_count(listed, Severity.ERROR), "problem")]
    return ", ".join([*parts, *([_counted(warnings, "warning")] if warnings else [])])


def write_text(problems: Iterable[Problem], stream: IO[str]) -> None:
    """Write as_text to the stream, in colours where it is a terminal."""
    listed = tuple(problems)
    if listed and stream.isatty():
        _write_coloured(listed, stream)
    else:
        stream.write(as_text(listed))


def _write_coloured(problems: Iterable[Problem], stream: IO[str]) -> None:
    from rich.console import Console  # a third of the command's start-up; pipes and CI do without
    from rich.text import Text

    console = Console(file=stream, soft_wrap=True, highlight=False)
    for problem in problems:
        place = ":".join(
            str(part) for part in (problem.file, problem.line, problem.column) if part is not None
        )
        colour = "yellow" if problem.severity is Severity.WARNING else "red"
        line = Text.assemble(
            (place, "bold"), (f" {problem.pointer}" if problem.pointer else "", "cyan"), ": "
        )
        line.append(f"{problem.severity}: ", f"bold {colour}").append(problem.message)
        line.append(f" {problem.fix}" if problem.fix else "", "green").append(f" [{problem.rule}]", "dim")
        console.print(line)


def _as_dict(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "pointer": problem.pointer or None,
        "rule": problem.rule,
        "severity": str(problem.severity),
        "message": problem.message,
        "fix": problem.fix,
    }


def _count(problems: Iterable[Problem], severity: Severity) -> int:
    return sum(problem.severity is severity for problem in problems)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
