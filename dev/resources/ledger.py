"""What the program's runs created, in order: `.sluice/resources.json`.

Written after each resource, so that a run which is killed leaves a true list. It holds ids, inputs and outputs and no
secret: an input that Pulumi marks as secret never gets here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.resources.handler import State
from dev.state import read_json, write_json

FORMAT = 1
EMPTY: Mapping[str, Any] = {"emulator": "", "postgres": "", "resources": [], "retained": [], "superseded": []}
Key = tuple[str, str]


@dataclass(frozen=True)
class Record:
    """A resource of the program: its type token, its logical name, and the state that the last run left.

    `retain`: the program asked that the thing stays when it is no longer declared.
    """

    type: str
    name: str
    state: State
    retain: bool = False

    @property
    def key(self) -> Key:
        """What identifies the resource between runs."""
        return (self.type, self.name)


@dataclass
class Ledger:
    """The records of one environment, oldest first. `emulator` and `postgres` name the servers that hold them.

    `retained` are resources that are no longer declared but were kept, `superseded` those whose replacement is there
    and that a run deletes at its end.
    """

    path: Path
    emulator: str
    postgres: str
    records: dict[Key, Record]
    retained: dict[Key, Record]
    superseded: list[Record]

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """The ledger in the file; an empty one where there is none."""
        document = read_json(path) or EMPTY
        return cls(
            path,
            document["emulator"],
            document["postgres"],
            {record.key: record for record in _records(document["resources"])},
            {record.key: record for record in _records(document["retained"])},
            _records(document["superseded"]),
        )

    def get(self, key: Key) -> Record | None:
        """The record of a declared resource."""
        return self.records.get(key)

    def put(self, record: Record) -> None:
        """Add a record, or put it in the place of the old one; on disk when this returns."""
        self.records[record.key] = record
        self.retained.pop(record.key, None)
        self.save()

    def supersede(self, old: Record, new: Record) -> None:
        """Put a new record in the place of the old one, and keep the old one until it is deleted."""
        self.superseded.append(old)
        self.put(new)

    def remove_superseded(self, record: Record) -> None:
        """Forget a superseded record that was deleted. On disk when this returns."""
        self.superseded.remove(record)
        self.save()

    def remove(self, key: Key, *, retained: bool) -> None:
        """Take a record out; a retained one stays on the list of those. On disk when this returns."""
        record = self.records.pop(key)
        if retained:
            self.retained[key] = record
        self.save()

    def forget(self, is_lost: Callable[[str], bool]) -> int:
        """Take out what is there no longer, by resource type; returns how many declared resources that were."""
        before = len(self.records)
        self.records = {key: record for key, record in self.records.items() if not is_lost(record.type)}
        self.retained = {key: record for key, record in self.retained.items() if not is_lost(record.type)}
        self.superseded = [record for record in self.superseded if not is_lost(record.type)]
        return before - len(self.records)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        write_json(
            self.path,
            {
                "format": FORMAT,
                "emulator": self.emulator,
                "postgres": self.postgres,
                "resources": list(self.records.values()),
                "retained": list(self.retained.values()),
                "superseded": self.superseded,
            },
        )


def _records(documents: list[dict[str, Any]]) -> list[Record]:
    return [Record(d["type"], d["name"], State(**d["state"]), d["retain"]) for d in documents]
