"""What fits into an index entry.

Postgres refuses an index entry over 2,704 bytes (54000), so each btree index and the key keep within 2,600: four bytes
for each character of a string, three for each four characters of base64, the fixed widths for the rest. A string without
maxLength is narrowed to fit. A gin index holds each item of an array as an entry of its own, under the same limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    Column,
    ColumnType,
    Date,
    Double,
    Integer,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.problems import Pointer
from compiler.record.kinds import Facts

BUDGET = 2_600
_BYTES_PER_CHARACTER = 4  # UTF-8
_HEADER = 8  # a varlena's length word and its alignment


@dataclass(frozen=True)
class Entry:
    """Of one index: what it is called for people, where it is declared, and the columns that an entry stores."""

    title: str
    pointer: Pointer
    columns: tuple[str, ...]


@dataclass(frozen=True)
class TooWide:
    """An entry that cannot be made to fit; `widths` are (column, bytes), widest first."""

    entry: Entry
    total: int
    widths: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Fit:
    """The lengths (in characters) to which strings without maxLength are narrowed, each with the entry that asks for it."""

    narrowed: Mapping[str, tuple[int, Entry]]
    too_wide: tuple[TooWide, ...]


def fit(entries: Iterator[Entry], columns: Mapping[str, Column], longest: Mapping[str, int | None]) -> Fit:
    """Fit every entry. `longest`: for each column of strings or bytes the bytes of its longest value, or of an array's
    longest item; None where nothing bounds it.
    """
    narrowed: dict[str, tuple[int, Entry]] = {}
    too_wide = []
    for entry in entries:
        widths = {
            name: _width(columns[name].type, longest.get(name)) for name in entry.columns if name in columns
        }
        fixed = sum(width for width in widths.values() if width is not None)
        open_ended = [name for name, width in widths.items() if width is None]
        share = (BUDGET - fixed) // max(len(open_ended), 1)
        lengths = {name: _characters(columns[name].type, share - _HEADER) for name in open_ended}
        if fixed > BUDGET or any(length < 1 for length in lengths.values()):
            known = sorted(
                ((name, width or 0) for name, width in widths.items()), key=lambda pair: (-pair[1], pair[0])
            )
            too_wide.append(TooWide(entry, fixed, tuple(known)))
            continue
        for name, length in lengths.items():
            if name not in narrowed or length < narrowed[name][0]:
                narrowed[name] = length, entry
    return Fit(narrowed, tuple(too_wide))


def longest_bytes(facts: Facts) -> int | None:
    """The bytes of the longest string that the schema admits by maxLength, enum or const; None where they say nothing."""
    found = [int(length) * _BYTES_PER_CHARACTER for length in facts.values("maxLength")]
    found.extend(max(len(option.encode()) for option in ("", *options)) for options in _listed(facts))
    return min(found, default=None)


def longest_decoded(facts: Facts) -> int | None:
    """The same of the bytes that a base64 string stands for."""
    found = [int(length) for length in facts.values("maxLength")]
    found.extend(max(len(option) for option in ("", *options)) for options in _listed(facts))
    return min((_decoded(length) for length in found), default=None)


def _listed(facts: Facts) -> Iterator[list[str]]:
    for options in (*facts.values("enum"), *([value] for value in facts.values("const"))):
        yield [option for option in options if isinstance(option, str)]


def _decoded(characters: int) -> int:
    return characters // 4 * 3


def _characters(type_: ColumnType, space: int) -> int:
    """The characters of a record's string whose value fits into the bytes."""
    return space // 3 * 4 if isinstance(type_, Bytea) else space // _BYTES_PER_CHARACTER


def _width(type_: ColumnType, longest: int | None) -> int | None:
    match type_:
        case Text() | Bytea():
            return None if longest is None else longest + _HEADER
        case Array(element):
            return _width(element, longest)
        case Uuid() | Timetz():
            return 16
        case BigInt() | Double() | Timestamptz():
            return 8
        case Date() | Integer():
            return 4
        case Boolean():
            return 1
        case Numeric(precision, _):
            # Two bytes for each four digits; unbounded ones have 308 before and 300 after the point.
            return 2 * ((precision or 608) // 4 + 2) + _HEADER
        case Jsonb():
            return 0  # refused elsewhere
        case _:
            assert_never(type_)
