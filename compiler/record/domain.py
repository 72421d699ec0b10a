"""What each column type can hold and give back unchanged, as JSON Schema.

It follows from the column's type alone, never from the property's own keywords, so that tightening or loosening those
leaves it as it is. It says nothing about null.

Numbers are compared exactly by jsonschema-rs where the bound is a power of ten given as a float, and rounded towards
refusal elsewhere; powers of ten are therefore exclusive bounds, never inclusive ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, localcontext
from functools import cache
from typing import assert_never

import jsonschema_rs

from compiler.canonical import Json
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    ColumnType,
    Date,
    Double,
    ElementType,
    Integer,
    Jsonb,
    Numeric,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.record.typemap import INT64_MAX, INT64_MIN, NUMERIC_MAX_PRECISION

JSON_DEFINITION = "sluice_json"

# Postgres' numeric goes further (131,072 digits before the point, 16,383 after it); JSON Schema's bounds are doubles.
_EXPONENT, _DECIMALS = 308, 300
_UNBOUNDED: dict[str, Json] = {"exclusiveMinimum": -1e308, "exclusiveMaximum": 1e308, "multipleOf": 1e-300}
# The decoder refuses U+0000 in any string too.
NO_NUL = r"^[^\u0000]*$"

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
_CLOCK = rf"[Tt]{_TIME}"
_HOURS = r"(0[0-9]|1[0-5]):[0-5][0-9]"
_MIDDLE_YEARS = r"(000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
_DAY = r"-[0-9]{2}-[0-9]{2}"
# Offsets that would carry the first or the last year beyond it are refused: drivers cannot read such instants.
_INSTANT = (
    rf"^({_MIDDLE_YEARS}{_DAY}{_CLOCK}([Zz]|[+-]{_HOURS})"
    rf"|0001{_DAY}{_CLOCK}([Zz]|[+]00:00|-{_HOURS})"
    rf"|9999{_DAY}{_CLOCK}([Zz]|-00:00|[+]{_HOURS}))$"
)
_TIME_OF_DAY = rf"^{_TIME}([Zz]|[+-]{_HOURS})$"
_CALENDAR_DAY = r"^(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-"

# The bits of the last character that belong to no byte are 0: so the same bytes are always the same text.
_CHARACTER = "[A-Za-z0-9+/]"
_BASE64 = rf"^({_CHARACTER}{{4}})*({_CHARACTER}[AQgw]==|{_CHARACTER}{{2}}[AEIMQUYcgkosw048]=)?$"


StringType = Text | Uuid | Timestamptz | Date | Timetz | Bytea


@cache
def domain(type_: ColumnType, *, rounds: bool = False) -> Mapping[str, Json]:
    """The schema of what a column of that type holds. `rounds`: excess scale of a numeric(p,s) is rounded."""
    match type_:
        case BigInt():
            return {"type": ["integer", "null"], "minimum": INT64_MIN, "maximum": INT64_MAX}
        case Numeric():
            return _numeric(type_, rounds=rounds)
        case Double():
            return {"minimum": -1.7976931348623157e308, "maximum": 1.7976931348623157e308}
        case Boolean():
            return {}
        case Text() | Uuid() | Timestamptz() | Date() | Timetz() | Bytea():
            return _string(type_)
        case Array(element):
            return {"items": {**domain(element), "type": [_json_type(element), "null"]}}
        case Jsonb():
            return {"$ref": f"#/$defs/{JSON_DEFINITION}"}
        case Integer():
            return {"type": ["integer", "null"], "minimum": -(2**31), "maximum": 2**31 - 1}
        case _:
            assert_never(type_)


def _string(type_: StringType) -> Mapping[str, Json]:
    match type_:
        case Text():
            return {"pattern": NO_NUL}
        case Uuid():
            return {"format": "uuid"}
        case Timestamptz():
            return {"format": "date-time", "pattern": _INSTANT}
        case Date():
            return {"format": "date", "pattern": _CALENDAR_DAY}
        case Timetz():
            return {"format": "time", "pattern": _TIME_OF_DAY}
        case Bytea():
            return {"pattern": _BASE64}
        case _:
            assert_never(type_)


def _json_type(element: ElementType) -> str:
    """An array in an array would become another dimension, or an element's text."""
    match element:
        case BigInt():
            return "integer"
        case Numeric():
            return "number"
        case Boolean():
            return "boolean"
        case Text() | Uuid() | Timestamptz() | Date():
            return "string"
        case _:
            assert_never(element)


@cache
def holder(type_: ColumnType, *, rounds: bool = False) -> jsonschema_rs.Draft202012Validator:
    """A validator of what a column of that type holds."""
    schema = dict(domain(type_, rounds=rounds))
    if "$ref" in schema:
        schema["$defs"] = {JSON_DEFINITION: json_definition()}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)


def json_definition() -> dict[str, Json]:
    """What jsonb holds, at any depth.

    Keys without U+0000, and numbers within what numeric holds, are the decoder's rules: it sees every number anyway,
    while bounds here would double the cost of a record with labels.
    """
    below = {"$ref": f"#/$defs/{JSON_DEFINITION}"}
    return {"pattern": NO_NUL, "items": below, "additionalProperties": below}


def limits(type_: ColumnType, *, rounds: bool = False) -> str | None:
    """The same for people; None where the type holds whatever the property admits."""
    match type_:
        case BigInt():
            return f"whole numbers from {INT64_MIN} to {INT64_MAX}"
        case Numeric():
            return _numeric_limits(type_, rounds=rounds)
        case Double():
            return "the nearest double; numbers beyond 1.8e308, and those that would become 0, are refused"
        case Boolean() | Integer():
            return None
        case Text() | Uuid() | Timestamptz() | Date() | Timetz() | Bytea():
            return _string_limits(type_)
        case Array(element):
            below = limits(element)
            return below and f"each item: {below}"
        case Jsonb():
            return "no U+0000; numbers with at most 131,072 digits before the point and 16,383 after it"
        case _:
            assert_never(type_)


def _string_limits(type_: StringType) -> str:
    match type_:
        case Text():
            return "no U+0000"
        case Uuid():
            return "hexadecimal with dashes"
        case Timestamptz():
            return "years 0001 to 9999, microseconds, offsets below 16 hours, no leap second"
        case Date():
            return "years 0001 to 9999"
        case Timetz():
            return "microseconds, offsets below 16 hours, no leap second"
        case Bytea():
            return "canonical base64: padded, of the standard alphabet, without spaces and line ends"
        case _:
            assert_never(type_)


def _numeric_limits(type_: Numeric, *, rounds: bool) -> str:
    if type_.precision is None:
        return "numbers below 1e308 with at most 300 decimals"
    scale = type_.scale or 0
    excess = "more are rounded" if rounds else "more are refused"
    return f"{type_.precision - scale} digits before the point and {scale} decimals ({excess})"


def _numeric(type_: Numeric, *, rounds: bool) -> dict[str, Json]:
    if type_.precision is None:
        return dict(_UNBOUNDED)
    scale = type_.scale or 0
    whole = type_.precision - scale
    bound = _below_rounding_up(whole, scale) if rounds and whole <= _EXPONENT else _power_of_ten(whole)
    found: dict[str, Json] = {"exclusiveMinimum": -bound, "exclusiveMaximum": bound}
    if not rounds:
        found["multipleOf"] = float(f"1e-{min(scale, _DECIMALS)}") if scale else 1
    return found


def _power_of_ten(exponent: int) -> float:
    # Below 1e21 canonical JSON writes an integer anyway; beyond 2**53 both forms are compared as doubles.
    return 10**exponent if exponent < 21 else float(f"1e{min(exponent, _EXPONENT)}")


def _below_rounding_up(whole: int, scale: int) -> float:
    """Half a unit of the last decimal below 10**whole: from there on Postgres rounds up to one digit too many."""
    with localcontext(prec=NUMERIC_MAX_PRECISION + 2):
        exact = Decimal(10) ** whole - Decimal(5).scaleb(-scale - 1)
        bound = float(exact)
        while Decimal(repr(bound)) > exact:
            bound = math.nextafter(bound, 0)
    return bound
