"""history.json: every record schema that a dataset's versions have had. Append-only; written beside the manifest.

A sink knows the messages' `schema` hashes from here, and compatibility is judged against these entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.canonical import Json, JsonDocument, indented, parsed, sha256
from compiler.dataset import Dataset
from compiler.record.bundle import without_annotations
from compiler.record.meaning import same_meaning

FILE = "history.json"
_FIELDS = {"version", "record_sha256", "record", "effective"}


class HistoryError(ValueError):
    """The file is not a history that `sluice plan` wrote."""


@dataclass(frozen=True)
class HistoryEntry:
    """One record schema of one version, with the effective schema that the sink admitted by."""

    version: int
    record_sha256: str
    record: JsonDocument
    effective: JsonDocument


def entry_of(dataset: Dataset) -> HistoryEntry:
    """What the dataset's manifest says now."""
    return HistoryEntry(dataset.version, dataset.record_sha256, dataset.record, dataset.effective)


def read_history(folder: Path, present: HistoryEntry | None = None) -> tuple[HistoryEntry, ...]:
    """The entries of `folder`/history.json, oldest first; none where there is no file. Raises HistoryError.

    A text that holds just the `present` entry need not be parsed.
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise HistoryError(f"not UTF-8: {error}") from error
    except OSError as error:
        raise HistoryError(f"it cannot be read: {error.strerror}") from error
    if present and present.record_sha256 in text and text == dumps((present,)):
        return (present,)
    return loads(text)


def loads(text: str) -> tuple[HistoryEntry, ...]:
    """The entries of a file's text. Raises HistoryError where `dumps` would not have written it."""
    try:
        values = parsed(text)
        entries = tuple(map(_entry, values))
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(f"not a list of history entries: {error}") from error
    if indented(values) != text:
        raise HistoryError("the text is not the one form that `sluice plan` writes for these entries")
    return entries


def dumps(entries: tuple[HistoryEntry, ...]) -> str:
    """The file's text: JSON with sorted keys and an indent, ended by LF."""
    values = [
        {
            "version": entry.version,
            "record_sha256": entry.record_sha256,
            "record": entry.record.value,
            "effective": entry.effective.value,
        }
        for entry in entries
    ]
    return indented(values)


def appended(entries: tuple[HistoryEntry, ...], dataset: Dataset) -> tuple[HistoryEntry, ...]:
    """The history with the dataset's present schema as its newest of this version; unchanged where it is that already.

    A column's type is part of it: the record may be the same and the records admitted others.
    """
    ours = of_version(entries, dataset.version)
    return entries if ours and settled(ours, dataset) else (*entries, entry_of(dataset))


def of_version(entries: tuple[HistoryEntry, ...], version: int) -> tuple[HistoryEntry, ...]:
    """Only the entries of one version, oldest first."""
    return tuple(entry for entry in entries if entry.version == version)


def settled(entries: tuple[HistoryEntry, ...], dataset: Dataset) -> bool:
    """Whether the newest entry says what the dataset's manifest says now, annotations aside; true where there is none."""
    if not entries:
        return True
    same_record = entries[-1].record_sha256 == dataset.record_sha256
    return same_record and same_meaning(entries[-1].effective, dataset.effective)


def undisputed(entries: tuple[HistoryEntry, ...], dataset: Dataset) -> bool:
    """Whether nothing is to be judged: no reason is given, and the record is the version's first or as it was."""
    return dataset.compatible_because is None and settled(of_version(entries, dataset.version), dataset)


def edited(
    entries: tuple[HistoryEntry, ...], present: HistoryEntry | None = None
) -> Iterator[tuple[int, str]]:
    """Entries, counted from 1, whose record schema does not have the hash that they were written with.

    One that equals the `present` entry, whose hash was just computed, needs no second look.
    """
    for number, entry in enumerate(entries, start=1):
        if entry == present:
            continue
        found = sha256(without_annotations(entry.record.value))
        if found != entry.record_sha256:
            yield number, f"its record schema has the hash {found}, not {entry.record_sha256}"


def _entry(value: Json) -> HistoryEntry:
    if set(value) != _FIELDS or not isinstance(value["version"], int):
        raise ValueError(f"an entry has the fields {', '.join(sorted(_FIELDS))}")
    record = JsonDocument.of(value["record"])
    return HistoryEntry(value["version"], value["record_sha256"], record, JsonDocument.of(value["effective"]))
