"""Two branches planned from one base: after the merge the chain has two next files, or git left a conflict in it.

Looked for only where a chain is not whole: it is the cause of most of what is then wrong, and has its own way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from compiler.migrate.model import NO_PREVIOUS, ChainFile
from compiler.problems import Finding

RULE = "chain-fork"
_MARKER = b"<<<<<<< "


def fork_findings(
    dataset: str, place: Path, names: Iterable[str], members: Iterable[ChainFile]
) -> tuple[Finding, ...]:
    """Where the chain in the folder `place` is in two minds; nothing where it is damaged otherwise."""
    fix = (
        f"Run `sluice plan {dataset} --rebase`: it keeps the plan of the branch that was first (--onto REF), and plans "
        "the other one's change anew."
    )
    texts = (*_conflicts(place, names), *_two_plans(place, tuple(members)))
    return tuple(Finding((), RULE, text, fix, file=path) for path, text in texts)


def _conflicts(place: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        path = place / name
        if path.is_file() and any(line.startswith(_MARKER) for line in path.read_bytes().splitlines()):
            yield str(path), "Two plans from one base: git left a conflict here."


def _two_plans(place: Path, members: tuple[ChainFile, ...]) -> Iterator[tuple[str, str]]:
    known = {member.sha256: member.name for member in members}
    by_base = sorted(members, key=lambda one: (one.migration.previous, one.name))
    for base, group in groupby(by_base, lambda one: one.migration.previous):
        names = [member.name for member in group]
        if len(names) > 1:
            after = "are both the first" if base == NO_PREVIOUS else f"both follow {known.get(base, base)}"
            yield f"{place}/{names[-1]}", f"Two plans from one base: {' and '.join(names)} {after}."
