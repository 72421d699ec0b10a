"""`sluice migrate`: bring the chains to a database, or show where it stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from psycopg import Connection

from compiler import names as derived
from compiler.cli.common import FOUND_PROBLEMS, fail, project_root
from compiler.cli.database import Chosen, chains, connected, environment_prefix
from compiler.cli.migrate_adopt import command as adopt
from compiler.cli.migrate_report import rehearsal_text, status_text, verified_text
from compiler.dataset import Dataset
from compiler.migrate import session
from compiler.migrate.apply import apply_control, apply_in, status_in
from compiler.migrate.control import ControlResult, is_prepared, missing
from compiler.migrate.errors import ConnectError, MigrateError, StoppedError
from compiler.migrate.rehearse import rehearse
from compiler.migrate.stop import Stop, asked_by_sigint
from compiler.migrate.verify import verify_in

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
@click.option(
    "--dry-run",
    is_flag=True,
    help="Change nothing: show what would run, its SQL, and all that stands in its way.",
)
@click.pass_context
def apply(
    ctx: click.Context,
    names: tuple[str, ...],
    prefix: str | None,
    stack: str | None,
    dry_run: bool,  # noqa: FBT001 - click's
) -> None:
    """Apply what the database has not seen of the chains of the datasets NAME (by default all).

    The control schema is brought up to date first. A migration runs in the transactions that its file says, each with
    its journal rows: after a failure or a kill, run the command again, and it goes on where the journal ends. Locks are
    tried for in turns of a few seconds, and who holds them is named. Ctrl-C stops after the step in hand. Applying twice
    changes nothing. The writer role that the Pulumi program makes for each dataset must exist.

    With --dry-run the session only reads: the table is compared with the journal, approvals and sinks that still need
    something are checked, and rows in a step's way are counted. It exits with 1 where something stands in the way.
    """
    root = project_root(ctx)
    chosen = chains(root, names)
    prefix = environment_prefix(root, prefix, stack)
    with connected(root) as connection, asked_by_sigint(click.echo) as stop:
        if dry_run:
            ctx.exit(_rehearse(connection, chosen, prefix))
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
    chosen = chains(root, names)
    with connected(root) as connection:
        session.become_owner(connection)
        found = [status_in(connection, one.chain) for one in chosen]
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        click.echo("".join(map(status_text, found)), nl=False)
    ctx.exit(FOUND_PROBLEMS if any(one.pending or one.drift or one.trouble for one in found) else 0)


@command.command(
    "verify",
    epilog="Exit codes: 0 every table is as the journal says, 1 one is not, 2 the command line is wrong.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Compare the tables of the datasets NAME (by default all) with what the journal says that their migrations left.

    The journal keeps how the server writes CHECKs, defaults and indexes, so that an edited one is seen. Another major
    version may write them differently: after an upgrade run this once, and the new texts are kept where the table's
    fingerprint is the expected one. Each text that differs is shown. No table is changed.
    """
    chosen = chains(project_root(ctx), names)
    with connected(project_root(ctx)) as connection:
        session.become_owner(connection)
        found = [verify_in(connection, one.chain, click.echo) for one in chosen]
    click.echo("".join(map(verified_text, found)), nl=False)
    ctx.exit(FOUND_PROBLEMS if any(one.wrong for one in found) else 0)


command.add_command(adopt)


def _rehearse(connection: Connection[Any], chosen: list[Chosen], prefix: str) -> int:
    absent = missing(connection, sorted({one.dataset.schema for one in chosen}))
    _tell_control("would make ", absent)
    prepared = is_prepared(connection)
    roles = [derived.writer_role(prefix, one.dataset.name) for one in chosen]
    found = [
        rehearse(connection, one.chain, role, prepared=prepared)
        for one, role in zip(chosen, roles, strict=True)
    ]
    click.echo("".join(map(rehearsal_text, found)), nl=False)
    return FOUND_PROBLEMS if any(one.obstacles for one in found) else 0


def _prepare(connection: Connection[Any], datasets: list[Dataset]) -> None:
    _tell_control("", apply_control(connection, sorted({dataset.schema for dataset in datasets})))


def _tell_control(verb: str, made: ControlResult) -> None:
    for kind, things in (("role", made.roles), ("schema", made.schemas), ("control schema:", made.files)):
        for thing in things:
            click.echo(f"{verb}{kind} {thing}")


def _apply(connection: Connection[Any], one: Chosen, prefix: str, stop: Stop) -> bool:
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
