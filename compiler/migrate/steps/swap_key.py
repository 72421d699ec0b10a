"""Make the new key's index the primary key, in the old one's place, at one moment."""

from __future__ import annotations

from dataclasses import replace

from compiler import names
from compiler.migrate import render
from compiler.migrate.model import INSTANT_SECONDS, Effort, Lock, Mode, Step
from compiler.migrate.quoting import columns, identifier
from compiler.migrate.state import State


def after(state: State) -> State:
    """One key, the new one."""
    return replace(state.with_table(replace(state.table, key=state.coming_key)), coming_key=())


def step(state: State) -> Step:
    """The columns are NOT NULL already, so no row is read. USING INDEX gives the index the constraint's name."""
    table = state.table
    alter, name = f"ALTER TABLE {render.relation(table)}", identifier(table.key_name)
    coming = identifier(names.coming_index(table.key_name))
    return Step(
        title=f"make ({columns(state.coming_key)}) the key",
        sql=f"{alter} DROP CONSTRAINT {name};\n{alter} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {coming};",
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.INSTANT,
        after=after(state).fingerprint,
        mode=Mode.OWN,
        statement_timeout=INSTANT_SECONDS,
    )
