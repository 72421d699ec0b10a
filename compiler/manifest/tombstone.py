"""`datasets/<name>/TOMBSTONE.json`: who removes the dataset, why, since when, and what becomes of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from compiler.manifest.document import read_document
from compiler.operation import Fate, Tombstone
from compiler.problems import Finding, Problem
from compiler.suggest import quoted

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
    wrong = tuple(map(source.problem, _findings(value)))
    if wrong:
        return None, wrong
    return (
        Tombstone(value["who"], value["why"], value["date"], Fate(value["data"]), value.get("exported_to")),
        (),
    )


def _findings(value: Mapping[str, str]) -> Iterator[Finding]:
    """What the schema cannot say of a tombstone."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # somewhere it is that day already
    if date.fromisoformat(value["date"]) > tomorrow:
        message = f"{quoted(value['date'])} is to come, and this is the day on which the removal was decided."
        yield Finding(("date",), "tombstone-date", message, "Write the day of the decision.")
    if "exported_to" in value and value["data"] != Fate.EXPORT:
        message = (
            f'"exported_to" serves data "export", and data is {quoted(value["data"])}: nothing would read it.'
        )
        fix = 'Remove it, or set "data" to "export" (the table is then dropped with the folder).'
        yield Finding(("exported_to",), "tombstone-export", message, fix, at_key=True)
