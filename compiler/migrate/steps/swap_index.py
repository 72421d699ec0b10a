"""Put a new index in the place of an old one of the same name, at one moment: queries always have one of them."""

from __future__ import annotations

from dataclasses import replace

from compiler import names
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.table import TableIndex


def coming(index: TableIndex) -> TableIndex:
    """The index under the name that it is built as; the index's own name is taken by the old one."""
    return replace(index, name=names.coming_index(index.name))


def going(index: TableIndex) -> TableIndex:
    """The old index under the name that it is dropped by."""
    return replace(index, name=names.going_index(index.name))


def after(state: State, old: TableIndex, new: TableIndex) -> State:
    """The names have moved on: new -> its own name, old -> out of the way."""
    others = [one for one in state.table.indexes if one.name not in {old.name, coming(new).name}]
    indexes = sorted((*others, new, going(old)), key=lambda one: one.name)
    return state.with_table(replace(state.table, indexes=tuple(indexes)))


def step(state: State, old: TableIndex, new: TableIndex) -> Step:
    """Renaming an index locks it against other changes of the schema, not against queries or writes."""
    schema = state.table.schema
    renames = ((old.name, going(old).name), (coming(new).name, new.name))
    return Step(
        title=f"replace index {identifier(new.name)}",
        sql="\n".join(
            f"ALTER INDEX {identifier(schema, before)} RENAME TO {identifier(behind)};"
            for before, behind in renames
        ),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state, old, new).fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )
