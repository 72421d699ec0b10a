"""`sluice migrate adopt NAME`: git follows what was done to a table by hand."""

from __future__ import annotations

from typing import Any, NoReturn

import click
from psycopg import Connection

from compiler.cli.common import FOUND_PROBLEMS, fail, project_root
from compiler.cli.database import Chosen, chains, connected
from compiler.cli.plan_report import reported
from compiler.migrate import catalog, journal, session
from compiler.migrate.adopt import Adopted, adopted
from compiler.migrate.catalog import Live
from compiler.migrate.errors import MigrateError
from compiler.migrate.journal import Position
from compiler.migrate.propose import propose_adopting, write
from compiler.migrate.relations import relation_of
from compiler.pipeline import MANIFEST


@click.command(
    "adopt",
    epilog="Exit codes: 0 git follows, or there is nothing to follow, 1 something cannot be taken over, 2 the command "
    "line is wrong.",
)
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, name: str) -> None:
    """Write the migration that makes, everywhere else, what was done by hand to the table of the dataset NAME here.

    The database must be where the committed chain ends, but for what was done by hand. Taken over are columns that are new,
    gone, of another type that is planned, or take null now or no longer; CHECKs and indexes that are new, under a manifest's
    name for them, or gone; defaults and comments. What must be written into the manifest is printed.

    What was dropped loses data elsewhere: that step waits there for an approval. A renamed column is refused.

    `sluice migrate apply` enters the new file in this database's journal and changes nothing; other databases run it. What
    cannot be taken over is named, and then nothing is written: put it back, or leave it to others (table.unmanaged).
    """
    (one,) = chains(project_root(ctx), (name,))
    with connected(project_root(ctx)) as connection:
        session.become_owner(connection)
        try:
            found = _found(connection, one)
        except MigrateError as error:
            fail(error.message, error.fix)
    if found is None:
        click.echo(f"{name} v{one.chain.version}: nothing was changed by hand")
        return
    if found.left:
        _refuse(one, found.left)
    _write(one, found)


def _found(connection: Connection[Any], one: Chosen) -> Adopted | None:
    position = journal.read_position(connection, one.chain.dataset, one.chain.version)
    live = catalog.read(connection, relation_of(one.chain))
    if journal.pending(position, one.chain) or live is None or position.snapshot is None:
        fail(
            f"{one.dataset.name}: this database is not where the chain ends.",
            "Check out the commit that was applied last, and adopt there.",
        )
    found = adopted(one.chain.table, live, position.snapshot, journal.server_major(connection))
    return found if found.left or not _is_same(live, position) else None


def _is_same(live: Live, position: Position) -> bool:
    return live.shape.fingerprint == position.fingerprint


def _refuse(one: Chosen, left: tuple[str, ...]) -> NoReturn:
    click.echo(f"sluice: {one.dataset.name}: git cannot follow all that was done by hand:", err=True)
    for text in left:
        click.echo(f"  {text}", err=True)
    fail(
        "Nothing was written.",
        "Put these objects back as they were, or leave them to whoever made them: `table.unmanaged`.",
    )


def _write(one: Chosen, found: Adopted) -> None:
    proposal = propose_adopting(one.dataset, one.folder, one.chain, found.table)
    if not proposal.paths:
        click.echo(reported(proposal, "text"), nl=False)
        raise SystemExit(FOUND_PROBLEMS)
    write(proposal)
    click.echo(reported(proposal, "text"), nl=False)
    click.echo(f"Write into {one.folder / MANIFEST}, then run `sluice plan {one.dataset.name}`:")
    for line in found.manifest:
        click.echo(f"  {line}")
