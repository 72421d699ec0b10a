"""`sluice check --base REF`: what a change may not do to the datasets that a commit has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compiler.cli import git
from compiler.manifest.source import read
from compiler.manifest.tombstone import FILE as TOMBSTONE
from compiler.migrate.generations import behind
from compiler.pipeline import DATASETS, MANIFEST
from compiler.problems import Problem


def base_problems(root: Path, ref: str) -> tuple[Problem, ...]:
    """Datasets that are gone without having been sealed, and versions that went backwards. Raises GitError."""
    git.require_commit(root, ref)
    paths = [path for path in git.names_of(root, ref, DATASETS) if Path(path).name == MANIFEST]
    return tuple(problem for path in paths if path.count("/") == 2 for problem in _problems(root, ref, path))


def _problems(root: Path, ref: str, path: str) -> Iterator[Problem]:
    here, name = root / path, Path(path).parent.name
    before = _json(git.content_of(root, ref, path))
    if here.exists():
        yield from _backwards(here, name, ref, before, _json(here.read_bytes()))
        return
    tombstone = git.content_of(root, ref, f"{DATASETS}/{name}/{TOMBSTONE}")
    if tombstone is None:
        yield Problem(
            str(here),
            "dataset-gone",
            f"{name} is in {ref} and gone here: producers would fail, and what waits in its buffer would be lost.",
            fix=f"Bring it back (git checkout {ref} -- {DATASETS}/{name}) and seal it first: {DATASETS}/{name}/{TOMBSTONE}, "
            "deployed in a commit of its own. See docs/removal.md.",
        )
        return
    said = _json(tombstone)
    if said.get("data") == "export" and "exported_to" not in said:
        yield Problem(
            str(here),
            "dataset-not-exported",
            f"{name} was to be exported before it goes, and its tombstone in {ref} does not say where the rows are.",
            fix=f'Bring the folder back, export, and add "exported_to" to {TOMBSTONE}; or decide otherwise in "data".',
        )


def _backwards(
    here: Path, name: str, ref: str, before: dict[str, Any], now: dict[str, Any]
) -> Iterator[Problem]:
    old, new = before.get("version"), now.get("version")
    if not (isinstance(old, int) and isinstance(new, int) and new < old):
        return
    told = tuple(
        behind(here.parent, name, new)
    )  # `check` tells it in the same words, where it can see the migrations
    yield from map(read(here, str(here)).source.problem, told)
    if not told:
        yield Problem(
            str(here),
            "version-backwards",
            f"{name} is version {old} in {ref} and {new} here; its view has moved on to version {old}'s table.",
            "$.version",
            fix=f"Set it to {old}, or to {old + 1} for a table of its own as version {new} had it.",
        )


def _json(data: bytes | None) -> dict[str, Any]:
    """The document; nothing is said here of one that cannot be read, which `check` tells of."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
