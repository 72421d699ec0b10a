"""No data is lost that nobody agreed to."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.emit.invariants.stack import Compiled, Violation
from compiler.migrate.approve import approving
from compiler.migrate.chain import ChainError, read_chain
from compiler.migrate.model import Hazard, Phase

TABLE = "pulumi-python:dynamic/sluice:DatasetTable"


def no_migration_loses_data_unapproved(compiled: Compiled) -> Iterator[Violation]:
    """Each step of each declared table's chain that loses data carries an approval of that very SQL.

    A dataset declares its table once for each phase; the whole chain is looked at once.
    """
    for table in compiled.graph.of_type(TABLE):
        if table.inputs["phase"] != Phase.EXPAND:
            continue
        name, version = str(table.inputs["dataset"]), int(table.inputs["version"])
        try:
            chain = read_chain(compiled.root / table.inputs["folder"], name, version)
        except ChainError as error:
            yield Violation(
                "unapproved-loss", table.key, f"has no readable chain: {error}", "Restore its files."
            )
            continue
        for file in chain.files if chain else ():
            for number, step in file.migration.unapproved():
                if step.hazard is Hazard.DATA_LOSS:
                    message = (
                        f"loses data in step {number} of {file.name} ({step.title}), which nobody approved."
                    )
                    fix = f"After review: `{approving(name, file.migration, number)}`."
                    yield Violation("unapproved-loss", table.key, message, fix)


LOSSES = (no_migration_loses_data_unapproved,)
