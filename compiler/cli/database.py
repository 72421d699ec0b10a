"""What the commands that meet a database share: which one it is, the environment's prefix, the chains to work with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from psycopg import Connection

from compiler.cli.common import fail, stop
from compiler.cli.plan_shared import dataset_folders, problem_of
from compiler.dataset import Dataset
from compiler.migrate import session
from compiler.migrate.approve import UNAPPROVED
from compiler.migrate.chain import Chain, chain_findings, read_chain
from compiler.migrate.errors import ConnectError, ControlError
from compiler.pipeline import compile_datasets
from compiler.problems import errors
from compiler.report import write_text

if TYPE_CHECKING:  # only where a stack is asked for
    from compiler.stack import StackConfig

# Any of these names a database; with none of them the embedded environment's is meant.
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")
EMBEDDED_STACK = "embedded"


@dataclass(frozen=True)
class Chosen:
    """A dataset, its folder, and its chain of migrations."""

    dataset: Dataset
    folder: Path
    chain: Chain


def chains(root: Path, names: tuple[str, ...]) -> list[Chosen]:
    """The chains to work with; any problem of a manifest or a chain, a chain that is missing included, ends the run."""
    compilation = compile_datasets(root, dataset_folders(root, names))
    problems = list(compilation.problems)
    chosen = []
    for one in compilation.datasets:
        # A hazard that nobody approved keeps a chain from being applied, not from being looked at.
        every = chain_findings(one.dataset, one.folder)
        found = [finding for finding in every if finding.rule != UNAPPROVED]
        problems += map(problem_of, found)
        chain = None if found else read_chain(one.folder, one.dataset.name, one.dataset.version)
        if chain is not None:
            chosen.append(Chosen(one.dataset, one.folder, chain))
    if errors(problems) or len(chosen) < len(compilation.datasets):
        stop(problems)
    write_text(problems, sys.stderr)
    return chosen


def environment_prefix(root: Path, prefix: str | None, stack: str | None) -> str:
    """The prefix of role names: as given, or the stack's. Raises click.UsageError where no environment is named."""
    if prefix is not None and stack is not None:
        raise click.UsageError("Give --prefix or --stack, not both.")
    if prefix is not None:
        return prefix
    if stack is None and libpq_is_set():
        raise click.UsageError("Name the environment: --stack STACK, or --prefix PREFIX.")
    return stack_of(root, stack).prefix


def stack_of(root: Path, stack: str | None) -> StackConfig:
    """The stack of that name, or the embedded one; what is wrong with it ends the run. Raises click.UsageError where a
    database is named and no stack.
    """
    if stack is None and libpq_is_set():
        raise click.UsageError("Name the environment: --stack STACK.")
    from compiler.stack import load_stack

    name = stack or EMBEDDED_STACK
    known = _known_of_embedded(root) if name == EMBEDDED_STACK else {}
    loaded = load_stack(root / f"Pulumi.{name}.yaml", known)
    if loaded.config is None:
        stop(loaded.problems)
    return loaded.config


def _known_of_embedded(root: Path) -> dict[str, str]:
    """What `sluice dev up` lays over the embedded stack's file."""
    from dev.postgres import Address
    from dev.stack import configured

    at = _embedded(root)
    return configured(Address(at["host"], at["port"], at["user"], at["password"], at["dbname"]))


def libpq_is_set() -> bool:
    """Whether the environment names a database."""
    return any(os.environ.get(name) for name in LIBPQ_VARIABLES)


@contextmanager
def connected(root: Path) -> Iterator[Connection[Any]]:
    """A session with the database that the environment names; what stands in the way of one ends the run."""
    try:
        with session.connect({} if libpq_is_set() else _embedded(root)) as connection:
            yield connection
    except (ConnectError, ControlError) as error:
        fail(error.message, error.fix)


def _embedded(root: Path) -> dict[str, Any]:
    from dev.outputs import load_outputs
    from dev.state import DevError

    try:
        return dict(load_outputs(root)["postgres"])
    except DevError as error:
        fail(str(error), "Or name a database: PGHOST, PGDATABASE, PGUSER, or PGSERVICE.")
