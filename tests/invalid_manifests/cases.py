"""The wrong manifests of this folder: each case is a folder with its files and `expected.txt`, all its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compiler.pipeline import MANIFEST, check_datasets
from compiler.report import as_text

FOLDER = Path(__file__).parent
EXPECTED = "expected.txt"


def cases() -> list[Path]:
    """The cases' folders, by name."""
    return sorted(path for path in FOLDER.iterdir() if path.is_dir() and not path.name.startswith("_"))


def messages(case: Path) -> str:
    """What `sluice check` says of the case, its files printed from this folder."""
    with _inside(FOLDER):
        return as_text(check_datasets(Path(), [Path(case.name)]).problems)


def manifests(case: Path) -> list[Path]:
    """The manifests of a case: its own, or one in each of its folders."""
    own = case / MANIFEST
    return [own] if own.exists() else sorted(case.glob(f"*/{MANIFEST}"))


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
