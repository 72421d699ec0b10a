"""`datasets/<name>/TOMBSTONE.json`: who removes the dataset, why, since when, and what becomes of its rows."""

from __future__ import annotations

from pathlib import Path

from compiler.manifest.document import read_document
from compiler.operation import Fate, Tombstone
from compiler.problems import Problem

FILE = "TOMBSTONE.json"


def read_tombstone(folder: Path) -> tuple[Tombstone | None, tuple[Problem, ...]]:
    """The tombstone of a dataset's folder, if it has one, and what is wrong with the file."""
    path = folder / FILE
    if not path.exists():
        return None, ()
    source, problems = read_document(path, "tombstone")
    if problems:
        return None, problems
    value = source.value
    return (
        Tombstone(value["who"], value["why"], value["date"], Fate(value["data"]), value.get("exported_to")),
        (),
    )
