"""A dataset's chain of migration files: reading it, and everything that can be wrong with it. No driver is imported.

    datasets/<name>/migrations/v<version>/NNNN_<what>.sql  table.json  chain.lock
    datasets/<name>/history.json

Position is the order of the files; fingerprints and hashes only guard it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.canonical import sha256_bytes
from compiler.dataset import Dataset
from compiler.migrate import files, history, renames, table_json
from compiler.migrate.approve import approval_findings
from compiler.migrate.difference import table_differences
from compiler.migrate.fork import fork_findings
from compiler.migrate.generations import MANIFEST, backwards, registered_otherwise
from compiler.migrate.history import HistoryEntry, read_history
from compiler.migrate.model import NO_PREVIOUS, Chain, ChainFile
from compiler.migrate.refusals import refusals
from compiler.problems import Finding, Severity
from compiler.table import ABSENT_FINGERPRINT, Table, table_of

__all__ = [
    "Chain",
    "ChainError",
    "HistoryEntry",
    "chain_findings",
    "read_chain",
    "read_history",
    "version_folder",
]

LOCK = "chain.lock"
TABLE = "table.json"
_RESTORE = "Restore the file from git; a new change is a new migration, made by `sluice plan`."


class ChainError(Exception):
    """The chain's files contradict each other; `findings` says how, each with its file."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(f"{finding.file}: {finding.message}" for finding in self.findings))


def version_folder(folder: Path, version: int) -> Path:
    """Where the chain of one version lies in a dataset's folder."""
    return folder / "migrations" / f"v{version}"


def lock_line(name: str, sha256: str) -> str:
    """chain.lock's one line: the last file and its hash, so that two branches' plans conflict in git."""
    return f"{name} {sha256}\n"


def read_chain(folder: Path, dataset: str, version: int, expected: Table | None = None) -> Chain | None:
    """The chain of a dataset's version; None where none is planned yet. Raises ChainError where it is not whole.

    A table.json that says the `expected` table, the manifest's, need not be parsed.
    """
    found = _read(folder, dataset, version, expected)
    if found.findings:
        raise ChainError(found.findings)
    return found.chain


def chain_findings(dataset: Dataset, folder: Path) -> Iterable[Finding]:
    """What is wrong with the dataset's chain and history, and whether they have come to the manifest.

    No chain yet is a warning; all else is an error.
    """
    table = table_of(dataset)
    yield from (_refused(text) for text in refusals(table))
    found = _read(folder, dataset.name, dataset.version, expected=table)
    yield from found.findings
    if found.findings:
        return
    yield from backwards(dataset, folder)
    if found.chain is None:
        yield _missing(dataset, folder)
    else:
        yield from _behind(found.chain, table, folder)
        yield from registered_otherwise(dataset, found.chain, folder)
        yield from approval_findings(found.chain)
        yield from (
            Finding(
                ("table", "columns"),
                "column-renamed",
                f"{hint.text}.",
                hint.fix,
                file=str(folder / MANIFEST),
            )
            for hint in renames.untrue(found.chain.table, renames.wanted(dataset, found.chain))
        )
    entries, damaged = _history(folder, known=dataset)
    yield from damaged
    if damaged:
        return
    changed = tuple(_record_findings(dataset, entries, folder))
    yield from changed
    if found.chain is not None and all(finding.severity is not Severity.ERROR for finding in changed):
        yield from _history_behind(dataset, entries, folder)


@dataclass(frozen=True)
class _Found:
    chain: Chain | None
    findings: tuple[Finding, ...]


def _read(folder: Path, dataset: str, version: int, expected: Table | None = None) -> _Found:
    place = version_folder(folder, version)
    try:
        names = _names(place)
    except OSError as error:  # a file in its place, or no right to look into it
        return _Found(None, (_unreadable(place, error),))
    migrations = [name for name in names if name.endswith(".sql")]
    if not migrations and TABLE not in names and LOCK not in names:
        return _Found(None, ())
    findings: list[Finding] = []
    members = [member for name in migrations if (member := _file(f"{place}/{name}", name, dataset, findings))]
    if not findings:  # a file that cannot be read is the cause of every gap after it
        findings += _order(members, dataset, version, place)
    ends = expected is not None and [one.migration.after for one in members[-1:]] == [expected.fingerprint]
    table = _table(place, findings, expected if ends else None)
    if findings or table is None:
        return _Found(None, fork_findings(dataset, place, names, members) or tuple(findings))
    chain = Chain(dataset, version, tuple(members), table)
    findings += [*_ends(chain, place), *_lock(chain, place)]
    if findings:
        return _Found(None, fork_findings(dataset, place, names, members) or tuple(findings))
    return _Found(chain, ())


def _names(place: Path) -> list[str]:
    """What lies in the folder, sorted; nothing where there is none. Raises OSError where it cannot be looked into."""
    try:
        return sorted(entry.name for entry in os.scandir(place))
    except FileNotFoundError:
        return []


def _unreadable(path: Path | str, error: OSError) -> Finding:
    return _error(
        path, "unreadable-file", f"It cannot be read: {error.strerror}.", "Restore it from git, readable."
    )


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - thousands of small files: a Path for each costs more than reading it
        return file.read()


def _file(path: str, name: str, dataset: str, findings: list[Finding]) -> ChainFile | None:
    numbered = files.NAME.fullmatch(name)
    if numbered is None:
        findings.append(
            _error(
                path,
                "chain-file",
                "The name is not NNNN_<what>.sql.",
                "Remove the file, or restore its name.",
            )
        )
        return None
    try:
        data = _bytes(path)
        migration = files.read(data.decode())
    except files.EditedError as error:
        findings.append(_error(path, "chain-edited", f"The SQL was edited: {error}.", _prove(dataset, name)))
    except OSError as error:
        findings.append(_unreadable(path, error))
    except (files.FileError, UnicodeDecodeError) as error:
        findings.append(_error(path, "chain-file", f"Not a migration file: {error}.", _RESTORE))
    else:
        if migration.number == int(numbered[1]):
            return ChainFile(name, migration, sha256_bytes(data), path)
        message = f"The header says migration {migration.number:04d}."
        findings.append(_error(path, "chain-file", message, _RESTORE))
    return None


def _prove(dataset: str, name: str) -> str:
    return (
        "Restore the file from git; or, where no database has it yet, prove the edit: "
        f'`sluice plan {dataset} --edited {name[:4]} --because "<why>"`.'
    )


def _order(members: list[ChainFile], dataset: str, version: int, place: Path) -> Iterator[Finding]:
    """Each file is this dataset's and version's, numbered without a gap, and follows the one before it.

    A break is told once, where it is: what comes after it is judged from there on.
    """
    if not members:
        yield _error(place / LOCK, "chain-order", "There is no migration file beside it.", _RESTORE)
    expected, before, previous = 1, ABSENT_FINGERPRINT, NO_PREVIOUS
    for member in members:
        path, found = member.path, member.migration
        if (found.dataset, found.version) != (dataset, version):
            yield _error(
                path,
                "chain-dataset",
                f"The file is for {found.dataset} v{found.version}, the folder for {dataset} v{version}.",
                "Remove it, and run `sluice plan` for this dataset.",
            )
        elif found.number != expected:
            yield _error(path, "chain-order", f"Expected migration {expected:04d} here.", _RESTORE)
        elif found.previous != previous:
            message = f"It follows a file with the hash {found.previous}; the one before it has {previous}."
            yield _error(path, "chain-order", message, _RESTORE)
        elif found.before != before:
            message = f"It starts from {found.before}; the one before it ends in {before}."
            yield _error(path, "chain-order", message, _RESTORE)
        expected, before, previous = found.number + 1, found.after, member.sha256


def _table(place: Path, findings: list[Finding], expected: Table | None) -> Table | None:
    """The chain's table; `expected` is the manifest's, whose text need not be parsed where it stands there."""
    path = f"{place}/{TABLE}"
    try:
        text = _bytes(path).decode()
        if expected and text == table_json.dumps(expected):
            return expected
        return table_json.loads(text)
    except FileNotFoundError:
        findings.append(_error(path, "chain-table", "The file is missing beside its migrations.", _RESTORE))
    except OSError as error:
        findings.append(_unreadable(path, error))
    except (table_json.TableJsonError, UnicodeDecodeError) as error:
        findings.append(_error(path, "chain-table", f"The file was edited or damaged: {error}.", _RESTORE))
    return None


def _ends(chain: Chain, place: Path) -> Iterator[Finding]:
    if chain.table.fingerprint != chain.end:
        message = f"Its fingerprint is {chain.table.fingerprint}; the last migration ends in {chain.end}."
        yield _error(place / TABLE, "chain-table", message, _RESTORE)


def _lock(chain: Chain, place: Path) -> Iterator[Finding]:
    path = f"{place}/{LOCK}"
    expected = lock_line(chain.files[-1].name, chain.files[-1].sha256)
    try:
        found = _bytes(path)
    except FileNotFoundError:
        yield _error(path, "chain-lock", "The file is missing beside its migrations.", _RESTORE)
        return
    except OSError as error:
        yield _unreadable(path, error)
        return
    if found != expected.encode():
        message = f"It does not say `{expected.strip()}`: a migration was edited, added or removed by hand."
        yield _error(path, "chain-lock", message, _RESTORE)


def _behind(chain: Chain, table: Table, folder: Path) -> Iterator[Finding]:
    changes = () if chain.table == table else table_differences(chain.table, table)
    if not changes and chain.table.unmanaged != table.unmanaged:
        changes = ("what others manage on the table (unmanaged) is another list",)
    if changes:
        yield _error(
            version_folder(folder, chain.version) / TABLE,
            "chain-behind",
            f"The manifest's table is not the one that the chain ends in: {'; '.join(changes)}.",
            f"Run `sluice plan {chain.dataset}`.",
        )


def whole_history(folder: Path, dataset: Dataset) -> tuple[HistoryEntry, ...]:
    """The entries of history.json. Raises ChainError where it is not as it was written."""
    entries, damaged = _history(folder, known=dataset)
    if damaged:
        raise ChainError(damaged)
    return entries


def _history(folder: Path, known: Dataset) -> tuple[tuple[HistoryEntry, ...], tuple[Finding, ...]]:
    """The entries and what is wrong with them; `known` spares an entry that equals the present one its hash."""
    path = folder / history.FILE
    present = history.entry_of(known)
    try:
        entries = read_history(folder, present)
    except history.HistoryError as error:
        return (), (_error(path, "history-edited", f"The history was edited or damaged: {error}.", _RESTORE),)
    if (
        not history.of_version(entries, known.version)
        and (version_folder(folder, known.version) / LOCK).exists()
    ):
        text = f"The history says nothing of version {known.version}, which has migrations: nothing holds a new record to the old ones."
        return (), (_error(path, "history-edited", text, _RESTORE),)
    return entries, tuple(
        _error(path, "history-edited", f"Entry {number} was edited: {problem}.", _RESTORE)
        for number, problem in history.edited(entries, present)
    )


def _record_findings(dataset: Dataset, entries: tuple[HistoryEntry, ...], folder: Path) -> Iterable[Finding]:
    if history.undisputed(entries, dataset):
        return ()
    from compiler.migrate.evolution import evolution, evolution_findings  # most records are unchanged

    return evolution_findings(evolution(dataset, entries, folder))


def _history_behind(dataset: Dataset, entries: tuple[HistoryEntry, ...], folder: Path) -> Iterator[Finding]:
    if history.appended(entries, dataset) != entries:
        yield _error(
            folder / history.FILE,
            "history-behind",
            f"There is no entry for the present record schema, {dataset.record_sha256}.",
            f"Run `sluice plan {dataset.name}`.",
        )


def _missing(dataset: Dataset, folder: Path) -> Finding:
    return Finding(
        pointer=(),
        rule="chain-missing",
        message=f"There is no migration for {dataset.name} v{dataset.version} yet.",
        fix=f"Run `sluice plan {dataset.name}`.",
        severity=Severity.WARNING,
        file=str(version_folder(folder, dataset.version)),
    )


def _refused(text: str) -> Finding:
    return Finding((), "table-text", text, "Choose another spelling in the manifest.")


def _error(path: Path | str, rule: str, message: str, fix: str) -> Finding:
    return Finding((), rule, message, fix, file=str(path))
