"""`sluice migrate`: bring the chains to a database, or show where it stands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from psycopg import Connection

from compiler import names as derived
from compiler.cli.common import FOUND_PROBLEMS, fail, project_root, stop
from compiler.cli.plan import dataset_folders, problem_of
from compiler.dataset import Dataset
from compiler.migrate import session
from compiler.migrate.apply import Status, apply_control, apply_in, status_in
from compiler.migrate.chain import Chain, chain_findings, read_chain
from compiler.migrate.errors import ConnectError, ControlError, MigrateError, StoppedError
from compiler.migrate.stop import Stop, asked_by_sigint
from compiler.pipeline import compile_datasets
from compiler.problems import errors
from compiler.report import write_text

# Any of these names a database; with none of them the embedded environment's is meant.
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE")
EMBEDDED_STACK = "embedded"
STOPPED = 130  # as a shell says of what SIGINT ended


@click.group("migrate")
def command() -> None:
    """Apply migrations to a database, or show where it stands.

    The database is the one that libpq's environment variables (PGHOST, PGDATABASE, PGUSER, PGSERVICE, …) and service
    files name; where none of them is set, that of the embedded environment of `sluice dev up`. Connect directly to the
    server, not through a transaction pooler.
    """


@command.command(
    "apply",
    epilog="Exit codes: 0 every chain is applied, 1 a chain or the database stands in the way, 2 the command line is "
    "wrong, 130 it was stopped between two steps.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--prefix", help="The environment's prefix of role names, as in its stack configuration.")
@click.option("--stack", metavar="STACK", help="Take the prefix from Pulumi.STACK.yaml.")
@click.pass_context
def apply(ctx: click.Context, names: tuple[str, ...], prefix: str | None, stack: str | None) -> None:
    """Apply what the database has not seen of the chains of the datasets NAME (by default all).

    The control schema is brought up to date first. A migration runs in the transactions that its file says, each with
    its journal rows: after a failure or a kill, run the command again, and it goes on where the journal ends. Locks are
    tried for in turns of a few seconds, and who holds them is named. Ctrl-C stops after the step in hand. Applying twice changes nothing. The writer role that the Pulumi program
    makes for each dataset must exist.
    """
    root = project_root(ctx)
    chosen = _chains(root, names)
    prefix = _prefix(root, prefix, stack)
    with _connected(root) as connection, asked_by_sigint(click.echo) as stop:
        _prepare(connection, [one.dataset for one in chosen])
        try:
            failed = [one.dataset.name for one in chosen if not _apply(connection, one, prefix, stop)]
        except StoppedError as stopped:
            click.echo(f"sluice: {stopped}", err=True)
            ctx.exit(STOPPED)
    if failed:
        fail(f"Not applied: {', '.join(failed)}.")


@command.command(
    "status",
    epilog="Exit codes: 0 the database is where the chains end, 1 it is not, 2 the command line is wrong.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def status(ctx: click.Context, names: tuple[str, ...], form: str) -> None:
    """Show where the database stands in the chains of the datasets NAME (by default all); changes nothing.

    Also told: tables that were changed outside of their migrations, and a database that is ahead of git.
    """
    root = project_root(ctx)
    chosen = _chains(root, names)
    with _connected(root) as connection:
        session.become_owner(connection)
        found = [status_in(connection, one.chain) for one in chosen]
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        click.echo("".join(map(_status_text, found)), nl=False)
    ctx.exit(FOUND_PROBLEMS if any(one.pending or one.drift or one.trouble for one in found) else 0)


@dataclass(frozen=True)
class _Chosen:
    dataset: Dataset
    chain: Chain


def _chains(root: Path, names: tuple[str, ...]) -> list[_Chosen]:
    """The chains to work with; any problem of a manifest or a chain, a chain that is missing included, ends the run."""
    compilation = compile_datasets(root, dataset_folders(root, names))
    problems = list(compilation.problems)
    chosen = []
    for one in compilation.datasets:
        found = list(chain_findings(one.dataset, one.folder))
        problems += map(problem_of, found)
        chain = None if found else read_chain(one.folder, one.dataset.name, one.dataset.version)
        if chain is not None:
            chosen.append(_Chosen(one.dataset, chain))
    if errors(problems) or len(chosen) < len(compilation.datasets):
        stop(problems)
    write_text(problems, sys.stderr)
    return chosen


def _prefix(root: Path, prefix: str | None, stack: str | None) -> str:
    if prefix is not None and stack is not None:
        raise click.UsageError("Give --prefix or --stack, not both.")
    if prefix is not None:
        return prefix
    if stack is None and _libpq_is_set():
        raise click.UsageError("Name the environment: --stack STACK, or --prefix PREFIX.")
    from compiler.stack import load_stack

    name = stack or EMBEDDED_STACK
    known = _known_of_embedded(root) if name == EMBEDDED_STACK else {}
    loaded = load_stack(root / f"Pulumi.{name}.yaml", known)
    if loaded.config is None:
        stop(loaded.problems)
    return loaded.config.prefix


def _known_of_embedded(root: Path) -> dict[str, str]:
    """What `sluice dev up` lays over the embedded stack's file."""
    from dev.postgres import Address
    from dev.stack import configured

    at = _embedded(root)
    return configured(Address(at["host"], at["port"], at["user"], at["password"], at["dbname"]))


def _libpq_is_set() -> bool:
    return any(os.environ.get(name) for name in LIBPQ_VARIABLES)


@contextmanager
def _connected(root: Path) -> Iterator[Connection[Any]]:
    """A session with the database that the environment names; what stands in the way of one ends the run."""
    try:
        with session.connect({} if _libpq_is_set() else _embedded(root)) as connection:
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


def _prepare(connection: Connection[Any], datasets: list[Dataset]) -> None:
    made = apply_control(connection, sorted({dataset.schema for dataset in datasets}))
    for kind, things in (("role", made.roles), ("schema", made.schemas), ("control schema:", made.files)):
        for thing in things:
            click.echo(f"{kind} {thing}")


def _apply(connection: Connection[Any], one: _Chosen, prefix: str, stop: Stop) -> bool:
    role = derived.writer_role(prefix, one.dataset.name)
    try:
        result = apply_in(connection, one.chain, role, one.dataset.owner, click.echo, stop=stop)
    except (ConnectError, StoppedError):
        raise
    except MigrateError as error:
        click.echo(f"sluice: {error}", err=True)
        return False
    text = f"{len(result.applied)} applied" if result.applied else "nothing to do"
    click.echo(f"{result.dataset} v{result.version}: {text}")
    return True


def _status_text(status: Status) -> str:
    head = f"{status.dataset} v{status.version}: {len(status.applied)} applied, {len(status.pending)} pending"
    lines = [
        head,
        *(f"  pending: {name}" for name in status.pending),
        *(f"  waits for the sink {text}" for text in status.held_back),
        *(f"  changed outside of its migrations: {text}" for text in status.drift),
        *(f"  {text}" for text in status.trouble),
    ]
    return "".join(f"{line}\n" for line in lines)
