"""A chain as another commit has it, put in this one's place, and the plan from there to the manifest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.dataset import Dataset
from compiler.migrate import files, history
from compiler.migrate.chain import version_folder
from compiler.migrate.model import Approval
from compiler.migrate.planner import Change, Refused
from compiler.migrate.propose import Proposal, propose, write


@dataclass(frozen=True)
class Commit:
    """A dataset's chain in a commit: the files of one version by name, and the history's text."""

    chain: Mapping[str, bytes]
    history: bytes | None


@dataclass(frozen=True)
class Retaken:
    """`proposal` is the plan from the other chain; `dropped` and `restored` are files of the chain, by name.

    `void` tells of each approval in a dropped file whose step is not planned again with the very same SQL. Where the plan was
    refused nothing was changed.
    """

    proposal: Proposal
    dropped: tuple[str, ...]
    restored: tuple[str, ...]
    void: tuple[str, ...] = ()


def retake(dataset: Dataset, folder: Path, commit: Commit) -> Retaken:
    """Put the commit's chain in place and plan from there. Raises ChainError where that chain is not whole."""
    before = _files(version_folder(folder, dataset.version))
    dropped = sorted(name for name in before.keys() - commit.chain.keys() if name.endswith(".sql"))
    given = [one for name in dropped for one in _approvals(name, before[name])]
    with tempfile.TemporaryDirectory(prefix="sluice-plan-") as scratch:
        _put(commit, Path(scratch), dataset.version)
        tried = propose(
            dataset, Path(scratch)
        ).made()  # what cannot be written shows before anything is replaced
    if isinstance(tried.plan, Refused):
        return Retaken(tried, (), ())
    _put(commit, folder, dataset.version)
    proposal = propose(dataset, folder, [approval for _, approval in given])
    write(proposal)
    restored = sorted(name for name, data in commit.chain.items() if before.get(name) != data)
    return Retaken(proposal, tuple(dropped), tuple(restored), tuple(_void(given, proposal)))


def _approvals(name: str, data: bytes) -> Iterator[tuple[str, Approval]]:
    """Those of a file that is dropped, each with its step in words; none of a file that git left a conflict in."""
    try:
        migration = files.read(data.decode())
    except (files.FileError, UnicodeDecodeError):
        return
    void = migration.void_approvals()
    for one in migration.approvals:
        if one not in void:
            yield f"{name}, step {one.step} ({migration.steps[one.step - 1].title})", one


def _void(given: Iterable[tuple[str, Approval]], proposal: Proposal) -> Iterator[str]:
    written = proposal.plan.files if isinstance(proposal.plan, Change) else ()
    steps = [step for one in written for step in one.migration.steps]
    return (place for place, approval in given if not any(approval.fits(step) for step in steps))


def _files(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()} if place.is_dir() else {}


def _put(commit: Commit, folder: Path, version: int) -> None:
    place = version_folder(folder, version)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name, data in commit.chain.items():
        (place / name).write_bytes(data)
    if commit.history is not None:
        (folder / history.FILE).write_bytes(commit.history)
