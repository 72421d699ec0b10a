"""`stacks/<stack>.json`: which datasets each stack deploys. Committed, so that adding a dataset moves no other one.

{"owner": "risk-platform", "datasets": ["alert_events", "integrity_signals"]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.canonical import Json
from compiler.manifest.document import read_document
from compiler.manifest.source import Source
from compiler.problems import Finding, Problem
from compiler.suggest import fix_for, quoted

FOLDER = "stacks"
MOST = 50  # datasets of one stack: a dataset is some 25 resources, and a preview of 1,500 is still quick

_STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")  # as Pulumi names stacks


@dataclass(frozen=True)
class Assignment:
    """One stack's datasets, in the order in which they were assigned; new ones of `owner` are appended."""

    stack: str
    owner: str
    datasets: tuple[str, ...]

    def text(self) -> str:
        """The file's text."""
        document = {"owner": self.owner, "datasets": list(self.datasets)}
        return json.dumps(document, indent=2) + "\n"


def file_of(root: Path, stack: str) -> Path:
    """Where the assignment of a stack stands."""
    return root / FOLDER / f"{stack}.json"


def read_assignments(root: Path) -> tuple[tuple[Assignment, ...], tuple[Problem, ...]]:
    """The project's assignments by name, and what is wrong with the files; both empty where it has none."""
    read = [_read(path) for path in sorted((root / FOLDER).glob("*.json"))]
    return (
        tuple(one for _, one, _ in read if one is not None),
        tuple(problem for _, _, problems in read for problem in problems),
    )


def read_assignment(root: Path, stack: str) -> tuple[Assignment | None, tuple[Problem, ...]]:
    """The assignment of one stack; None where it has no file, or one with problems."""
    path = file_of(root, stack)
    if not path.exists():
        return None, ()
    _, found, problems = _read(path)
    return found, problems


def assignment_problems(root: Path, folders: Sequence[Path]) -> Iterator[Problem]:
    """What is wrong in `stacks/`, with the datasets' folders: where there is none, nothing is assigned and all is well."""
    files = sorted((root / FOLDER).glob("*.json"))
    if not files:
        return
    names = [folder.name for folder in folders]
    first: dict[str, str] = {}
    readable = True
    for path in files:
        yield from _misnamed(path)
        source, _, problems = _read(path)
        yield from problems
        listed = _listed(source.value)
        readable = readable and listed is not None
        yield from map(source.problem, _findings(path.stem, listed or (), names, first))
    for folder in folders:
        if folder.name not in first and readable:
            yield Problem(
                str(folder),
                "stack-unassigned",
                f"{quoted(folder.name)} is in no stack.",
                fix="Run `sluice stacks assign`.",
            )


def _misnamed(path: Path) -> Iterator[Problem]:
    if not _STACK.fullmatch(path.stem):
        message = f"{quoted(path.stem)} is no name of a stack: letters, digits, dashes, underscores and dots."
        yield Problem(str(path), "stack-name", message, fix="Rename the file as its stack is named.")


def _listed(value: Json) -> tuple[tuple[int, str], ...] | None:
    """The names in a file's list with their places, as far as they are names; None where there is no list."""
    match value:
        case {"datasets": list(items)}:
            return tuple((number, item) for number, item in enumerate(items) if isinstance(item, str))
        case _:
            return None


def _findings(
    stack: str, listed: Sequence[tuple[int, str]], names: Sequence[str], first: dict[str, str]
) -> Iterator[Finding]:
    """Datasets that are not there, or in an earlier stack; `first` says in which, and takes up this one's."""
    for number, name in listed:
        at = ("datasets", number)
        if first.get(name, stack) != stack:
            text = f"{quoted(name)} is in the stack {quoted(first[name])} already."
            yield Finding(
                at, "stack-assigned-twice", text, "Take it out of the stack that does not deploy it."
            )
        elif name not in names:
            fix = fix_for(name, names, "Take it out; where the dataset was removed, with its folder.")
            yield Finding(at, "stack-unknown-dataset", f"There is no dataset {quoted(name)}.", fix)
        first.setdefault(name, stack)


def assign(
    assignments: Sequence[Assignment], owners: Mapping[str, str]
) -> tuple[tuple[Assignment, ...], tuple[str, ...]]:
    """The assignments with each dataset in one, and the names of those that are new or have grown.

    `owners` is the owner of each dataset by its name. A dataset that is assigned stays where it is; a new one is appended
    to the first stack of its owner with room, or to a new stack `<owner>`, `<owner>-2`, …
    """
    stacks = {one.stack: one for one in assignments}
    there = {name for one in assignments for name in one.datasets}
    changed: list[str] = []
    for name in sorted(owners.keys() - there):
        room = _with_room(stacks, owners[name])
        stacks[room.stack] = replace(room, datasets=(*room.datasets, name))
        changed.append(room.stack)
    return tuple(stacks[name] for name in sorted(stacks)), tuple(dict.fromkeys(changed))


def _with_room(stacks: Mapping[str, Assignment], owner: str) -> Assignment:
    ours = sorted(
        (one for one in stacks.values() if one.owner == owner), key=lambda one: (len(one.stack), one.stack)
    )
    found = next((one for one in ours if len(one.datasets) < MOST), None)
    if found is not None:
        return found
    number = 1
    while (name := owner if number == 1 else f"{owner}-{number}") in stacks:
        number += 1
    return Assignment(name, owner, ())


def _read(path: Path) -> tuple[Source, Assignment | None, tuple[Problem, ...]]:
    source, problems = read_document(path, "assignment")
    if problems:
        return source, None, problems
    value = source.value
    return source, Assignment(path.stem, value["owner"], tuple(value["datasets"])), ()
