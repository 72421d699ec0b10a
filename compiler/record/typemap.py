"""The type map: which column type a property gets, and as which others it may be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compiler.dataset import (
    BigInt,
    Boolean,
    ColumnType,
    Date,
    Double,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Uuid,
)
from compiler.record.kinds import Facts, Kind

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NUMERIC_MAX_PRECISION = 1000

_FORMATS: Mapping[str, ColumnType] = {"uuid": Uuid(), "date-time": Timestamptz(), "date": Date()}
_SCALARS: Mapping[str, ColumnType] = {
    "bigint": BigInt(),
    "boolean": Boolean(),
    "date": Date(),
    "double precision": Double(),
    "jsonb": Jsonb(),
    "numeric": Numeric(),
    "text": Text(),
    "timestamptz": Timestamptz(),
    "uuid": Uuid(),
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


class TypeRefused(Exception):  # noqa: N818 - a reason, turned into a finding where its place is known
    """The property cannot have that column type; `str()` is the reason as a sentence, `fix` the way out."""

    def __init__(self, reason: str, fix: str) -> None:
        self.fix = fix
        super().__init__(reason)


def column_type(facts: Facts) -> ColumnType:
    """The type that a property's schema asks for by itself. Raises TypeRefused for what this release cannot store."""
    match facts.value_kind:
        case Kind.BOOLEAN:
            return Boolean()
        case Kind.INTEGER:
            return Numeric() if _beyond_64_bits(facts) else BigInt()
        case Kind.FRACTION | Kind.NUMBER:
            return Double()
        case Kind.STRING:
            return _string_type(facts)
        case _:
            return Jsonb()


def named_type(name: str, facts: Facts) -> ColumnType:
    """The type that `table.columns.<c>.type` names, for a property of those facts. Raises TypeRefused."""
    wanted = parse_type(name)
    kind = facts.value_kind
    if not _storable(kind, wanted):
        raise TypeRefused(
            f"{_described(kind)} cannot be stored as {name}.",
            f"Use {' or '.join(_choices(kind))}, or leave the type out.",
        )
    return wanted


def parse_type(name: str) -> ColumnType:
    """`numeric(12,4)` -> Numeric(12, 4). Raises TypeRefused where precision or scale are out of range."""
    found = _NUMERIC.fullmatch(name)
    if not found:
        return _SCALARS[name]
    precision, scale = map(int, found.groups())
    if not 1 <= precision <= NUMERIC_MAX_PRECISION or scale > precision:
        raise TypeRefused(
            f"{name} is out of range.",
            f"The precision is 1 to {NUMERIC_MAX_PRECISION} digits in all, the scale 0 to the precision.",
        )
    return Numeric(precision, scale)


def _storable(kind: int, wanted: ColumnType) -> bool:
    match wanted:
        case Jsonb():
            return True
        case Boolean():
            return kind == Kind.BOOLEAN
        case BigInt() | Numeric() | Double():
            return kind in {Kind.INTEGER, Kind.FRACTION, Kind.NUMBER}
        case _:
            return kind == Kind.STRING


def _choices(kind: int) -> tuple[str, ...]:
    if kind in {Kind.INTEGER, Kind.FRACTION, Kind.NUMBER}:
        return ("bigint", "numeric", "numeric(p,s)", "double precision")
    if kind == Kind.STRING:
        return ("text", "uuid", "timestamptz", "date")
    return ("boolean", "jsonb") if kind == Kind.BOOLEAN else ("jsonb",)


def _described(kind: int) -> str:
    names = {
        Kind.BOOLEAN: "A boolean",
        Kind.INTEGER: "An integer",
        Kind.FRACTION: "A number",
        Kind.NUMBER: "A number",
        Kind.STRING: "A string",
        Kind.ARRAY: "An array",
        Kind.OBJECT: "An object",
    }
    return names.get(kind, "A value of mixed type")


def _string_type(facts: Facts) -> ColumnType:
    formats, encodings = set(facts.values("format")), facts.values("contentEncoding")
    stay_text = 'Store it as text with "type": "text" in table.columns.'
    if "time" in formats:
        raise TypeRefused('Columns for format "time" are not in this release.', stay_text)
    if "base64" in encodings:
        raise TypeRefused("Columns for base64 content (bytea) are not in this release.", stay_text)
    found = [_FORMATS[name] for name in sorted(formats) if name in _FORMATS]
    return found[0] if len(found) == 1 else Text()


def _beyond_64_bits(facts: Facts) -> bool:
    lowest = [*facts.values("minimum"), *facts.values("exclusiveMinimum")]
    highest = [*facts.values("maximum"), *facts.values("exclusiveMaximum")]
    return any(bound < INT64_MIN - 1 for bound in lowest) or any(bound > INT64_MAX + 1 for bound in highest)
