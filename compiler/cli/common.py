"""What the commands share: the project, and how problems are told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

from compiler.problems import Problem, ProblemsError
from compiler.report import write_text

DATASETS = "datasets"
FOUND_PROBLEMS = 1


def find_project(given: Path | None) -> Path:
    """The project's root, as short as the current directory allows. Raises click.UsageError where there is none."""
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / DATASETS).is_dir():
            return Path(os.path.relpath(folder))
    raise click.UsageError(
        f'There is no folder "{DATASETS}" here or above. Name the project with --project DIR, or begin one with'
        " sluice init NAME."
    )


def project_root(ctx: click.Context) -> Path:
    """The root of the project that this call is about, from --project or from where it was made."""
    return find_project(ctx.find_root().obj)


def stop(problems: Iterable[Problem]) -> NoReturn:
    """Print the problems to stderr and exit with 1."""
    write_text(ProblemsError(problems).problems, sys.stderr)
    raise SystemExit(FOUND_PROBLEMS)


def fail(message: str, fix: str | None = None) -> NoReturn:
    """Print one message to stderr and exit with 1."""
    click.echo(f"sluice: {message}{f' {fix}' if fix else ''}", err=True)
    raise SystemExit(FOUND_PROBLEMS)


def printable(text: str) -> str:
    """Text of a file for a terminal: what is no printable character, such as what begins an escape sequence, is escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
