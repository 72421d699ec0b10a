"""Problems as a person reads them, or as a machine does."""

from __future__ import annotations

import json
import re
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


def as_github(problems: Iterable[Problem]) -> str:
    """One GitHub workflow command a problem, which puts it beside its line in a pull request.

    GitHub shows ten errors and ten warnings of a step; the log has them all.
    """
    return "".join(f"{_command(problem)}\n" for problem in problems)


def _command(problem: Problem) -> str:
    given = {"file": problem.file, "line": problem.line, "col": problem.column, "title": problem.rule}
    properties = ",".join(
        f"{name}={_property(str(value))}" for name, value in given.items() if value is not None
    )
    text = " ".join(part for part in (_told_at(problem), problem.fix) if part)
    return f"::{problem.severity} {properties}::{_data(text)}"


def _told_at(problem: Problem) -> str:
    return f"{problem.pointer}: {problem.message}" if problem.pointer else problem.message


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_markdown(problems: Iterable[Problem], datasets: int) -> str:
    """The summary and a table of the problems, for a comment on a pull request."""
    listed = tuple(problems)
    lines = ["### sluice check", "", f"{summary(listed, datasets)}."]
    if listed:
        lines += ["", "| | where | what | how to mend it | rule |", "|---|---|---|---|---|"]
        lines += map(_row, listed)
    return "".join(f"{line}\n" for line in lines)


def _row(problem: Problem) -> str:
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
    where = f"{_plain(place)} {_plain(problem.pointer)}".rstrip()
    return f"| {problem.severity} | {where} | {_plain(problem.message)} | {_plain(problem.fix or '')} | {problem.rule} |"


def _plain(text: str) -> str:
    """Text in a cell: no line ends, and every character that Markdown, GitHub's mentions or HTML take for themselves
    as itself.
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!])", r"\\\1", " ".join(text.split())).replace("@", "@\u200b")


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
