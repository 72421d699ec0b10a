"""The type map: which column type a property gets, and as which others it may be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    ColumnType,
    Date,
    Double,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.record.bundle import Bundle
from compiler.record.kinds import Facts, Kind, item_facts

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NUMERIC_MAX_PRECISION = 1000

BASE64 = "base64"
_FORMATS: Mapping[str, ColumnType] = {
    "uuid": Uuid(),
    "date-time": Timestamptz(),
    "date": Date(),
    "time": Timetz(),
}
_SCALARS: Mapping[str, ColumnType] = {
    "bigint": BigInt(),
    "boolean": Boolean(),
    "bytea": Bytea(),
    "date": Date(),
    "double precision": Double(),
    "jsonb": Jsonb(),
    "numeric": Numeric(),
    "text": Text(),
    "timestamptz": Timestamptz(),
    "timetz": Timetz(),
    "uuid": Uuid(),
    "bigint[]": Array(BigInt()),
    "boolean[]": Array(Boolean()),
    "date[]": Array(Date()),
    "numeric[]": Array(Numeric()),
    "text[]": Array(Text()),
    "timestamptz[]": Array(Timestamptz()),
    "uuid[]": Array(Uuid()),
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


class TypeRefused(Exception):  # noqa: N818 - a reason, turned into a finding where its place is known
    """The property cannot have that column type; `str()` is the reason as a sentence, `fix` the way out."""

    def __init__(self, reason: str, fix: str) -> None:
        self.fix = fix
        super().__init__(reason)


def column_type(facts: Facts) -> ColumnType:
    """The type that a property's schema asks for by itself."""
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


def named_type(name: str, facts: Facts, bundle: Bundle) -> ColumnType:
    """The type that `table.columns.<c>.type` names, for a property of those facts. Raises TypeRefused."""
    wanted = parse_type(name)
    kind = facts.value_kind
    if isinstance(wanted, Array) and kind == Kind.ARRAY:
        _require_items(name, wanted, item_facts(facts, bundle))
    elif isinstance(wanted, Bytea) and kind == Kind.STRING:
        _require_base64(facts)
    elif not _storable(kind, wanted):
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


def _require_items(name: str, wanted: Array, items: Facts) -> None:
    """Every item has the one type that the array's elements have; an item may be null."""
    if not _storable(items.value_kind, wanted.element):
        found = _described(items.value_kind).lower()
        raise TypeRefused(
            f"The items of the array may be {found}, which cannot be an element of {name}.",
            'Give "items" the one type of the elements, or leave the type out: jsonb holds any array.',
        )


def _require_base64(facts: Facts) -> None:
    others = sorted(set(_encodings(facts)) - {BASE64})
    if others:
        raise TypeRefused(
            f"A string with the content encoding {others[0]} cannot be stored as bytea, which is read from base64.",
            'Send base64 ("contentEncoding": "base64"), or store the text as it is with "type": "text".',
        )


def _storable(kind: int, wanted: ColumnType) -> bool:
    match wanted:
        case Jsonb():
            return True
        case Array():
            return kind == Kind.ARRAY
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
        return ("text", "uuid", "timestamptz", "date", "timetz", "bytea")
    if kind == Kind.ARRAY:
        return ("jsonb", "an array of the items' type such as text[]")
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
    """The type that all of the string's formats and encodings speak for; text where they differ or say nothing."""
    found = {_FORMATS[name] for name in facts.values("format") if name in _FORMATS}
    found |= {Bytea() if name == BASE64 else Text() for name in _encodings(facts)}
    return found.pop() if len(found) == 1 else Text()


def _encodings(facts: Facts) -> list[str]:
    """The names of encodings know no case (RFC 2045)."""
    return [name.lower() for name in facts.values("contentEncoding")]


def _beyond_64_bits(facts: Facts) -> bool:
    lowest = [*facts.values("minimum"), *facts.values("exclusiveMinimum")]
    highest = [*facts.values("maximum"), *facts.values("exclusiveMaximum")]
    return any(bound < INT64_MIN - 1 for bound in lowest) or any(bound > INT64_MAX + 1 for bound in highest)
