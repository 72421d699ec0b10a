"""Build the unique index of a new key beside the old key, while the table is used."""

from __future__ import annotations

from dataclasses import replace

from compiler import names
from compiler.migrate import render
from compiler.migrate.model import Effort, Lock, Mode, Step
from compiler.migrate.quoting import columns, identifier
from compiler.migrate.state import State


def after(state: State, key: tuple[str, ...]) -> State:
    """Two keys: sinks of either plan find the one that they write by."""
    return replace(state, coming_key=key)


def interrupted(state: State) -> State:
    """What a killed build leaves, or one that met two rows of one key: the index, invalid."""
    return replace(state, invalid=state.invalid | {names.coming_index(state.table.key_name)})


def step(state: State, key: tuple[str, ...]) -> Step:
    """CREATE INDEX CONCURRENTLY waits for every older transaction through a lock, so a lock timeout would only break it."""
    table = state.table
    index = names.coming_index(table.key_name)
    listed, relation = columns(key), render.relation(table)
    return Step(
        title=f"build the new key ({listed})",
        sql=f"CREATE UNIQUE INDEX CONCURRENTLY {identifier(index)} ON {relation} USING btree ({listed});",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        effort=Effort.SCAN,
        after=after(state, key).fingerprint,
        mode=Mode.NONE,
        lock_timeout=0,
        partial=(interrupted(state).fingerprint,),
        recovery=f"DROP INDEX CONCURRENTLY {identifier(table.schema, index)};",
        violations=f"SELECT {listed} FROM {relation} GROUP BY {listed} HAVING count(*) > 1",  # noqa: S608 - of quoted names
    )
