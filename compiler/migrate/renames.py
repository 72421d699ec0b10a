"""What `renamed_from` asks for, and what of it the chain has done. No driver is imported."""

from __future__ import annotations

from compiler.dataset import Dataset
from compiler.migrate.model import Chain

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


def stale(chain: Chain, renames: dict[str, str]) -> tuple[str, ...]:
    """One sentence for each hint that has nothing to say of the table at the chain's end."""
    there = {column.name for column in chain.table.columns}
    return tuple(
        f"column {new} is renamed from {old}, "
        + ("which the table does not have" if old not in there else "and is there already")
        for new, old in sorted(renames.items())
        if old not in there or new in there
    )


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
