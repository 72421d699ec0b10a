"""Move the public relation from an earlier generation's table to this one's, with the privileges that it has.

A view's columns cannot change type, so it is dropped and made again; whoever reads it waits for this transaction and
then sees the new generation. The rows of the earlier one stay in their own table.
"""

from __future__ import annotations

from compiler.migrate.grants import view_made_anew
from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.steps import create_view
from compiler.table import Table

after = create_view.after


def step(table: Table, target: Table) -> Step:
    """Readers of the view wait until the transaction ends; writers do not use it."""
    return Step(
        title=f"move view {identifier(target.view.name)} to {identifier(target.name)}",
        sql=view_made_anew(target),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(table, target).fingerprint,
    )
