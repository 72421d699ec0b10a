"""The versions of a dataset that have migrations, each in a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from compiler.dataset import Dataset
from compiler.migrate.model import Chain
from compiler.problems import Finding

MANIFEST = "dataset.json"
_REGISTERS = "INSERT INTO sluice.datasets "
_UUID = re.compile(r"'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'::uuid")
_VERSION = re.compile(r"v([1-9][0-9]*)")


def backwards(dataset: Dataset, folder: Path) -> Iterator[Finding]:
    """A version never goes back: the view has moved on to the later one's table."""
    yield from behind(folder, dataset.name, dataset.version)


def behind(folder: Path, name: str, version: int) -> Iterator[Finding]:
    """As `backwards`, of a dataset that may be wrong otherwise."""
    later = max(_versions(folder / "migrations"), default=0)
    if later > version:
        yield Finding(
            ("version",),
            "version-backwards",
            f"Version {later} of {name} has migrations already; {version} is behind it.",
            f"Set it to {later}, or to {later + 1} for a table of its own as version {version} had it.",
            file=str(folder / MANIFEST),
        )


def registered_otherwise(dataset: Dataset, chain: Chain, folder: Path) -> Iterator[Finding]:
    """A dataset's uuid never changes: its first migration registers it, and events and roles go by it."""
    sql = next((step.sql for step in chain.files[0].migration.steps if _REGISTERS in step.sql), "")
    found = _UUID.search(sql)
    if found and found[1] != str(dataset.uuid):
        yield Finding(
            ("uuid",),
            "uuid-changed",
            f"{dataset.name} is registered with the uuid {found[1]} by {chain.files[0].name}; it cannot become another.",
            f'Set "uuid" to "{found[1]}". Another dataset has another name.',
            file=str(folder / MANIFEST),
        )


def _versions(place: Path) -> list[int]:
    try:
        names = [entry.name for entry in os.scandir(place)]
    except FileNotFoundError:
        return []
    return [int(found[1]) for name in names if (found := _VERSION.fullmatch(name))]
