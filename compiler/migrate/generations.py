"""The versions of a dataset that have migrations, each in a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from compiler.dataset import Dataset
from compiler.problems import Finding

MANIFEST = "dataset.json"
_VERSION = re.compile(r"v([1-9][0-9]*)")


def backwards(dataset: Dataset, folder: Path) -> Iterator[Finding]:
    """A version never goes back: the view has moved on to the later one's table."""
    later = max(_versions(folder / "migrations"), default=0)
    if later > dataset.version:
        yield Finding(
            ("version",),
            "version-backwards",
            f"Version {later} of {dataset.name} has migrations already; {dataset.version} is behind it.",
            f"Set it to {later}, or to {later + 1} for a table of its own as version {dataset.version} had it.",
            file=str(folder / MANIFEST),
        )


def _versions(place: Path) -> list[int]:
    try:
        names = [entry.name for entry in os.scandir(place)]
    except FileNotFoundError:
        return []
    return [int(found[1]) for name in names if (found := _VERSION.fullmatch(name))]
