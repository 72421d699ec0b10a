"""Which keywords of a property become CHECKs, and which the sink alone checks.

A CHECK is made only where every admitted value other than null satisfies it after it is stored: a double is the nearest
one, and a rounding numeric is rounded, so exclusive bounds loosen there. jsonb columns and arrays get none; nor does bytea,
whose keywords speak of the base64 text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import assert_never

from compiler.canonical import Json, canonical
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bound,
    Bytea,
    Check,
    Column,
    Date,
    Double,
    Integer,
    Jsonb,
    Length,
    Matches,
    Numeric,
    OneOf,
    Rule,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.record.domain import holder
from compiler.record.kinds import Facts, kind_of
from compiler.record.patterns import agrees

# jsonschema-rs compares a fraction with an integer bound beyond 2**53 as doubles: near it the two could disagree.
_EXACT = 2**53
_COVERED = frozenset(
    (
        *("type", "enum", "const", "minLength", "maxLength", "pattern"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    )
)


def checks_of(column: Column, facts: Facts) -> tuple[Check, ...]:
    """The CHECKs that the property's keywords become, in a fixed order."""
    return tuple(Check(column.name, rule) for rule in _rules(column, facts))


def _rules(column: Column, facts: Facts) -> Iterator[Rule]:
    match column.type:
        case Text():
            yield from _one_of(column, facts)
            yield from _length(facts)
            for pattern in sorted(set(facts.values("pattern"))):
                if agrees(pattern):
                    yield Matches(pattern)
        case BigInt() | Numeric() | Double():
            yield from _one_of(column, facts)
            yield from _bounds(column, facts)
        case Boolean() | Uuid():
            yield from _one_of(column, facts)
        case Timestamptz() | Date() | Timetz() | Bytea() | Jsonb() | Integer() | Array():
            return
        case _:
            assert_never(column.type)


def _one_of(column: Column, facts: Facts) -> Iterator[OneOf]:
    listed = [*facts.values("enum"), *([value] for value in facts.values("const"))]
    if not listed:
        return
    kind, holds = facts.value_kind, holder(column.type, rounds=column.rounds).is_valid
    found = set()
    for options in listed:
        # What is of another type, or beyond the column, is never admitted, and could not even be written as a constant.
        fitting = [option for option in options if kind_of(option) & kind and holds(option)]
        if fitting and all(_kept(column, option) for option in fitting):
            found.add(OneOf(tuple(sorted({canonical(option).decode() for option in fitting}))))
    yield from sorted(found, key=lambda rule: rule.values)


def _kept(column: Column, value: Json) -> bool:
    """Is the value stored as it is, so that a CHECK may name it?"""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return abs(value) <= _EXACT and (not column.rounds or _at_scale(column, Decimal(repr(value))))
    return True


def _at_scale(column: Column, value: Decimal) -> bool:
    match column.type:
        case Numeric(_, int() as scale):
            exponent = value.normalize().as_tuple().exponent
            return isinstance(exponent, int) and exponent >= -scale
        case _:
            return True


def _length(facts: Facts) -> Iterator[Length]:
    minimum = max(facts.values("minLength"), default=0) or None
    maximum = min(facts.values("maxLength"), default=None)
    if minimum is not None or maximum is not None:
        yield Length(minimum and int(minimum), None if maximum is None else int(maximum))


def _bounds(column: Column, facts: Facts) -> Iterator[Bound]:
    lower = [
        *((bound, 0) for bound in facts.values("minimum")),
        *((bound, 1) for bound in facts.values("exclusiveMinimum")),
    ]
    upper = [
        *((bound, 0) for bound in facts.values("maximum")),
        *((bound, -1) for bound in facts.values("exclusiveMaximum")),
    ]
    if lower:
        bound, exclusive = max(lower)
        yield from _bound(column, ">=", ">", bound, exclusive=bool(exclusive))
    if upper:
        bound, exclusive = min(upper)
        yield from _bound(column, "<=", "<", bound, exclusive=bool(exclusive))


def _bound(
    column: Column, inclusive_form: str, exclusive_form: str, bound: float, *, exclusive: bool
) -> Iterator[Bound]:
    if not _kept(column, bound):
        return
    # A double rounds towards the bound; to 0 it does not, since what would become 0 is refused.
    loose = column.rounds or (isinstance(column.type, Double) and bound != 0)
    yield Bound(exclusive_form if exclusive and not loose else inclusive_form, canonical(bound).decode())


def sink_only(column: Column, facts: Facts, made: Iterable[Check]) -> tuple[str, ...]:
    """The property's keywords that no CHECK repeats: the sink alone checks them. Sorted, each as the author wrote it."""
    rules = [check.rule for check in made]
    found = set()
    for part in facts.parts:
        for keyword, value in part.items():
            if keyword in _ASSERTIONS and not _repeated(keyword, value, column, rules):
                found.add(f"{keyword} {json.dumps(value, ensure_ascii=False)}" if _short(value) else keyword)
    return tuple(sorted(found))


_ASSERTIONS = _COVERED - {"type"} | {
    *("format", "multipleOf", "not", "if", "anyOf", "oneOf", "contains", "uniqueItems", "propertyNames"),
    *("items", "prefixItems", "minItems", "maxItems", "unevaluatedItems", "properties", "patternProperties"),
    *("additionalProperties", "required", "minProperties", "maxProperties", "dependentRequired"),
    *("dependentSchemas", "unevaluatedProperties"),
}
_BY_TYPE = {"uuid": Uuid, "date-time": Timestamptz, "date": Date, "time": Timetz}
_BOUNDS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))


def _repeated(keyword: str, value: Json, column: Column, rules: list[Rule]) -> bool:
    """Does the table itself, by its type or a CHECK, refuse what the keyword refuses?"""
    match keyword:
        case "format":
            return value in _BY_TYPE and isinstance(column.type, _BY_TYPE[value])
        case "enum" | "const":
            return any(isinstance(rule, OneOf) for rule in rules)
        case "minLength" | "maxLength":
            return any(isinstance(rule, Length) for rule in rules)
        case "pattern":
            return Matches(value) in rules
        case _ if keyword in _BOUNDS:
            return any(isinstance(rule, Bound) and rule.value == canonical(value).decode() for rule in rules)
        case _:
            return False


def _short(value: Json) -> bool:
    return not isinstance(value, dict | list) and len(str(value)) <= 60
