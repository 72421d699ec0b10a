"""A dataset's next files: what `sluice plan` would write, as values, and the writing of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from compiler.dataset import Dataset
from compiler.migrate import history, renames, table_json
from compiler.migrate.approve import ApproveError, approved, with_approvals
from compiler.migrate.chain import (
    LOCK,
    TABLE,
    lock_line,
    read_chain,
    version_folder,
    whole_history,
)
from compiler.migrate.history import HistoryEntry
from compiler.migrate.model import Approval, Chain, Migration
from compiler.migrate.planner import Change, Create, Nothing, Plan, Refused, Written, plan
from compiler.migrate.steps.register import Registration
from compiler.table import Table, table_of

if TYPE_CHECKING:
    from compiler.migrate.evolution import Evolution


@dataclass(frozen=True)
class NewFile:
    """A file to be written, whole."""

    path: Path
    text: str


@dataclass(frozen=True)
class PlannedFile:
    """A file that planning came to, and what makes its text."""

    path: Path
    text: Callable[[], str]


@dataclass(frozen=True)
class Proposal:
    """What planning a dataset came to; `planned` in the order in which files are written, none where all is there.

    `evolution` says what becomes of the records; None where the record schema is the first or unchanged.
    """

    dataset: str
    version: int
    plan: Plan
    planned: tuple[PlannedFile, ...]
    evolution: Evolution | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where something is to be written."""
        return tuple(one.path for one in self.planned)

    @cached_property
    def files(self) -> tuple[NewFile, ...]:
        """What is to be written. Who only judges the plan does not ask for it, and is spared the making."""
        return tuple(NewFile(one.path, one.text()) for one in self.planned)

    def made(self) -> Proposal:
        """Itself, with its `files` made. Raises ValueError where one cannot be written."""
        _ = self.files
        return self


def propose(dataset: Dataset, folder: Path, given: Iterable[Approval] = ()) -> Proposal:
    """Plan the dataset in its folder. Reads only. Raises ChainError where the chain or the history is not whole.

    Approvals that were `given` for a step with the very same hazard and SQL are those of the new step.
    """
    table = table_of(dataset)
    chain = read_chain(folder, dataset.name, dataset.version, expected=table)
    entries = whole_history(folder, dataset)
    registration = Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    planned = plan(chain, table, registration, renames.wanted(dataset, chain))
    if isinstance(planned, Change):
        planned = Change(
            _rewritten(planned.files, partial(with_approvals, given=tuple(given))), planned.table
        )
    evolved = _evolution(entries, dataset, folder)
    if evolved and evolved.refused:
        planned = _refused(planned, evolved)
    files = _files(planned, chain, table, dataset, folder)
    if not isinstance(planned, Refused):
        files = (*_history(entries, dataset, folder), *files)
    return Proposal(dataset.name, dataset.version, planned, files, evolved)


def _evolution(entries: tuple[HistoryEntry, ...], dataset: Dataset, folder: Path) -> Evolution | None:
    if history.undisputed(entries, dataset):
        return None
    from compiler.migrate.evolution import evolution  # most records are unchanged

    return evolution(dataset, entries, folder)


def _refused(planned: Plan, evolved: Evolution) -> Refused:
    """A refused record stops the table's change too; the table's own refusals are told with it."""
    also = planned.reasons if isinstance(planned, Refused) else ()
    return Refused((*(refusal.told for refusal in evolved.refusals), *also), evolved.way_out)


def propose_adopting(dataset: Dataset, folder: Path, chain: Chain, table: Table) -> Proposal:
    """The files that take the chain to what was done by hand, and say so. Reads only."""
    registration = Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    planned = plan(chain, table, registration)
    if isinstance(planned, Change):
        planned = Change(_rewritten(planned.files, partial(replace, adopts=True)), planned.table)
    return Proposal(dataset.name, dataset.version, planned, _files(planned, chain, table, dataset, folder))


def _rewritten(files: Iterable[Written], change: Callable[[Migration], Migration]) -> tuple[Written, ...]:
    """The new files with other headers, each naming the one before it by its hash."""
    done: list[Written] = []
    for one in files:
        previous = done[-1].file.sha256 if done else one.migration.previous
        migration = replace(change(one.migration), previous=previous)
        done.append(one if migration == one.migration else Written(one.name, migration))
    return tuple(done)


def write(proposal: Proposal) -> None:
    """Write the files, each whole or not at all. The chain's lock comes last of its chain's: it vouches for the rest."""
    write_files(proposal.files)


def write_files(files: Iterable[NewFile]) -> None:
    """Write files in their order, each whole or not at all."""
    for file in files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        _write(file)


def approve(
    dataset: Dataset, folder: Path, steps: Iterable[tuple[int, int]], why: str
) -> tuple[NewFile, ...]:
    """Write a reviewer's approval of steps (file number, step number) into the chain. Raises ChainError, ApproveError."""
    chain = read_chain(folder, dataset.name, dataset.version)
    place = version_folder(folder, dataset.version)
    changed = approved(chain, steps, why) if chain else ()
    if not changed:
        raise ApproveError(f"There is no migration of {dataset.name} v{dataset.version} to approve.")
    last = changed[-1][0]
    files = (
        *(NewFile(place / member.name, text) for member, text in changed),
        NewFile(place / LOCK, lock_line(last.name, last.sha256)),
    )
    write_files(files)
    return files


def _files(
    planned: Plan, chain: Chain | None, table: Table, dataset: Dataset, folder: Path
) -> tuple[PlannedFile, ...]:
    match planned:
        case Refused():
            return ()
        case Nothing():
            return _left_to_others(chain, table, dataset, folder)
        case Create(written):
            return _chain(dataset, folder, written, table)
        case Change(written, end):
            return _chain(dataset, folder, written, replace(end, unmanaged=table.unmanaged))
        case _:
            assert_never(planned)


def _chain(
    dataset: Dataset, folder: Path, written: tuple[Written, ...], table: Table
) -> tuple[PlannedFile, ...]:
    place = version_folder(folder, dataset.version)
    return (
        *(PlannedFile(place / one.name, partial(_text, one)) for one in written),
        PlannedFile(place / TABLE, partial(table_json.dumps, table)),
        PlannedFile(place / LOCK, partial(_lock, written[-1])),
    )


def _text(written: Written) -> str:
    return written.text


def _lock(last: Written) -> str:
    return lock_line(last.file.name, last.file.sha256)


def _left_to_others(
    chain: Chain | None, table: Table, dataset: Dataset, folder: Path
) -> tuple[PlannedFile, ...]:
    """table.json with what others manage now; it is no part of the shape, so no migration comes of it."""
    if chain is None or chain.table.unmanaged == table.unmanaged:
        return ()
    text = partial(table_json.dumps, replace(chain.table, unmanaged=table.unmanaged))
    return (PlannedFile(version_folder(folder, dataset.version) / TABLE, text),)


def _history(entries: tuple[HistoryEntry, ...], dataset: Dataset, folder: Path) -> tuple[PlannedFile, ...]:
    new = history.appended(entries, dataset)
    return () if new == entries else (PlannedFile(folder / history.FILE, partial(history.dumps, new)),)


def _write(file: NewFile) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.path.name}.", dir=file.path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file.path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
