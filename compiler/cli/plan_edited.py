"""`sluice plan NAME --edited NNNN`: an edit of a planned file's SQL is proven to lead to the same table, and marked."""

from __future__ import annotations

from pathlib import Path

import click

from compiler.cli.common import fail, stop
from compiler.cli.plan_shared import compiled, problem_of
from compiler.cli.shadow import run, shadow
from compiler.migrate import journal
from compiler.migrate.chain import ChainError
from compiler.migrate.edited import EditError, marked
from compiler.migrate.errors import MigrateError
from compiler.migrate.propose import write_files


def prove(folder: Path, given: str, why: str) -> None:
    """Run the chain with the edited file on a shadow, then mark the file. Nothing is written where it fails."""
    if not given.isdigit():
        raise click.UsageError("A migration is named by its number: --edited 0003.")
    dataset = compiled(folder).dataset
    try:
        with shadow((dataset.schema,)) as connection:
            major = journal.server_major(connection)
            found = marked(folder, dataset.name, dataset.version, int(given), why, major)
            run(connection, found.chain)
    except EditError as error:
        raise click.UsageError(str(error)) from None
    except ChainError as error:
        stop([problem_of(finding) for finding in error.findings])
    except MigrateError as error:
        fail(
            f"On a shadow database: {error.message}",
            "Nothing was written. The edited SQL must lead to the very table that the file declares, step by step.",
        )
    write_files(found.files)
    click.echo(f"proven on Postgres {major}: the edited SQL leads to the same table")
    for file in found.files:
        click.echo(f"wrote {file.path}")
