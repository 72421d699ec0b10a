"""What `renamed_from` asks for, and what of it the chain has done. No driver is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compiler.dataset import Dataset
from compiler.migrate.model import Chain
from compiler.suggest import fix_for
from compiler.table import Table

REMOVE = 'Remove "renamed_from": it is for the plan that renames a column, and says nothing afterwards.'
# A plan writes at most a file for each phase, and the hint may stay in the manifest until the next plan.
_LAST = 2


def title(old: str, new: str) -> str:
    """The title of the step that renames a column."""
    return f"rename column {_quoted(old)} to {_quoted(new)}"


def wanted(dataset: Dataset, chain: Chain | None) -> dict[str, str]:
    """The renames that the manifest asks for and the chain's last plan has not made: old column name by new one."""
    hints = {one.name: one.renamed_from for one in dataset.columns if one.renamed_from is not None}
    if chain is None:
        return {}
    made = {step.title for file in chain.files[-_LAST:] for step in file.migration.steps}
    return {new: old for new, old in hints.items() if title(old, new) not in made}


@dataclass(frozen=True)
class Untrue:
    """A hint that does not hold of the table at the chain's end: a sentence, and what to do about it."""

    text: str
    fix: str


def holding(table: Table, renames: Mapping[str, str]) -> dict[str, str]:
    """The hints that hold of the table: the old name is there, the new one is not."""
    there = {column.name for column in table.columns}
    return {new: old for new, old in renames.items() if old in there and new not in there}


def untrue(table: Table, renames: Mapping[str, str]) -> tuple[Untrue, ...]:
    """The hints that have nothing to say of the table, in the order of the new names."""
    there = [column.name for column in table.columns]
    held = holding(table, renames)
    return tuple(_untrue(old, new, there) for new, old in sorted(renames.items()) if new not in held)


def _untrue(old: str, new: str, there: Sequence[str]) -> Untrue:
    if new in there:
        told = "and is there already" if old in there else "and has been renamed already"
        return Untrue(f"column {new} is renamed from {old}, {told}", REMOVE)
    return Untrue(
        f"column {new} is renamed from {old}, which the table does not have",
        fix_for(old, there, 'Name in "renamed_from" the column that the table has, or remove it.'),
    )


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
