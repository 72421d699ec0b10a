"""Manifest's table against the chain's end -> what to write. Pure: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from compiler.canonical import sha256_bytes
from compiler.migrate import files
from compiler.migrate.change import change
from compiler.migrate.difference import table_differences
from compiler.migrate.model import NO_PREVIOUS, Chain, ChainFile, Migration, Phase, Step
from compiler.migrate.refusals import refusals
from compiler.migrate.renames import Untrue, holding, untrue
from compiler.migrate.slug import slug
from compiler.migrate.steps import comment, create_index, create_table, create_view, move_view, register
from compiler.migrate.steps.register import Registration
from compiler.migrate.unplanned import unplanned
from compiler.table import ABSENT_FINGERPRINT, Table, comments


@dataclass(frozen=True)
class Nothing:
    """The chain ends in the manifest's table."""


@dataclass(frozen=True)
class Written:
    """A new member of the chain. Its text is made, and proven to read back, when it is asked for: to judge a plan takes none."""

    name: str
    migration: Migration

    @cached_property
    def text(self) -> str:
        """The text of its file."""
        return files.write(self.migration)

    @cached_property
    def file(self) -> ChainFile:
        """What reading the file will give."""
        return ChainFile(self.name, self.migration, sha256_bytes(self.text.encode()))


@dataclass(frozen=True)
class Create:
    """The first migration of a version."""

    files: tuple[Written, ...]


@dataclass(frozen=True)
class Change:
    """The next migrations of a version, one a phase; `table` is the Table that the chain then ends in."""

    files: tuple[Written, ...]
    table: Table


@dataclass(frozen=True)
class Refused:
    """What cannot be planned: each reason by name, and the way out."""

    reasons: tuple[str, ...]
    way_out: str


NO_RENAMES: Mapping[str, str] = MappingProxyType({})
Plan = Nothing | Create | Change | Refused


def plan(
    chain: Chain | None, table: Table, registration: Registration, renames: Mapping[str, str] = NO_RENAMES
) -> Plan:
    """What takes the chain's end to `table`; `renames` is the old column name by the new one."""
    unsayable = refusals(table)
    if unsayable:
        return Refused(unsayable, "Choose another spelling in the manifest.")
    if chain is None:
        return _create(table, registration)
    hints = untrue(chain.table, renames)
    if not table_differences(chain.table, table):
        return _refused(chain, hints, ()) if hints else Nothing()
    reasons = unplanned(chain.table, table, holding(chain.table, renames))
    return _refused(chain, hints, reasons) if hints or reasons else _change(chain, table, renames)


def _create(table: Table, registration: Registration) -> Create:
    migration = Migration(
        number=1,
        dataset=registration.dataset,
        version=registration.version,
        phase=Phase.EXPAND,
        before=ABSENT_FINGERPRINT,
        after=table.fingerprint,
        previous=NO_PREVIOUS,
        steps=creation(table, registration),
    )
    return Create((Written(files.file_name(migration, "create"), migration),))


def creation(table: Table, registration: Registration) -> tuple[Step, ...]:
    """The steps from no table to `table`, in the order in which they run."""
    steps = [create_table.step(table)]
    state = create_table.after(table)
    for index in table.indexes:
        steps.append(create_index.step(state, index))
        state = create_index.after(state, index)
    if comments(table):
        steps.append(comment.step(state, table))
        state = comment.after(state, table)
    view = create_view if registration.version == 1 else move_view
    steps.append(view.step(state, table))
    return (*steps, register.step(table, registration))


def _change(chain: Chain, table: Table, renames: Mapping[str, str]) -> Change:
    walk = change(chain.table, table, renames)
    last = chain.files[-1]
    before, number = chain.end, last.migration.number
    written: list[Written] = []
    for phase, after, steps in (
        (Phase.EXPAND, walk.between, walk.expand),
        (Phase.CONTRACT, table.fingerprint, walk.contract),
    ):
        if not steps:
            continue
        number += 1
        previous = written[-1].file.sha256 if written else last.sha256
        migration = Migration(number, chain.dataset, chain.version, phase, before, after, previous, steps)
        name = files.file_name(migration, slug(chain.table, table, phase, renames))
        written.append(Written(name, migration))
        before = after
    return Change(tuple(written), walk.table)


def _refused(chain: Chain, hints: tuple[Untrue, ...], reasons: tuple[str, ...]) -> Refused:
    """Hints that do not hold are mended in the manifest; only for the other reasons a new version is a way out."""
    ways = list(dict.fromkeys(hint.fix for hint in hints))
    if reasons:
        ways.append(
            "This release does not plan these changes of a table that is there. "
            f"Undo them, or set `version` to {chain.version + 1}: a new version is a table of its own."
        )
    return Refused((*(hint.text for hint in hints), *reasons), " ".join(ways))
