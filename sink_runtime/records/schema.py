"""The effective schema as a yes or no, answered fast for ordinary records.

The plan's schema is allOf [record, domain]: what the producer promises, and what the columns can hold. The domain's rules
of text, jsonb, timestamps and numerics cost a validator many times what the record's own do, and for ordinary values they
are decided in passing: the decoder has looked for U+0000, a timestamp ends in Z, a number has few decimals. So a validator
without those rules, and these glances, may admit a record. Whatever they do not admit is for the whole schema to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jsonschema_rs

from sink_runtime.plan import SinkPlan
from sink_runtime.records.decoder import Json

_NUMERIC = re.compile(r"numeric\(\d+,(\d+)\)")
_NO_NUL = "^[^\\u0000]*$"
_NO_NUL_WITHIN = "#/$defs/sluice_json"
_SCALES = range(1, 16)
# `2024-05-01T12:00:00Z` with none, or one to six digits of a fraction.
_INSTANT_LENGTHS = frozenset({20, *range(22, 28)})

Glance = Callable[[Json], bool]


class EffectiveSchema:
    """One plan's schema. For any number of threads."""

    def __init__(self, plan: SinkPlan) -> None:
        self._whole = jsonschema_rs.Draft202012Validator(plan.effective, validate_formats=True)
        relaxed, glances = _relaxed(plan)
        self._relaxed = jsonschema_rs.Draft202012Validator(relaxed, validate_formats=True)
        self._glances = tuple(sorted(glances.items()))
        self.admits: Glance = self._whole.is_valid

    def iter_errors(self, record: Json) -> Iterator[jsonschema_rs.ValidationError]:
        """Why it does not admit a record. Raises ValueError where an error would hold a number too long for Python."""
        return self._whole.iter_errors(record)

    def admit_ordinary(self, records: Sequence[Json]) -> Iterator[bool]:
        """Whether it admits each; they are records in which the decoder found nothing that may not be storable."""
        is_valid, glances = self._relaxed.is_valid, self._glances
        for record in records:
            if type(record) is dict and is_valid(record):
                for name, is_ordinary in glances:
                    value = record.get(name)
                    if value is not None and not is_ordinary(value):
                        break
                else:
                    yield True
                    continue
            yield self._whole.is_valid(record)


def _relaxed(plan: SinkPlan) -> tuple[dict[str, Any], dict[str, Glance]]:
    """The schema without the costly rules of its domain, and what stands in for them, by property."""
    parts = plan.effective.get("allOf", ())
    if len(parts) != 2 or not isinstance(parts[1], dict):
        return plan.effective, {}
    promised = parts[0].get("properties", {}) if isinstance(parts[0], dict) else {}
    domain = dict(parts[1].get("properties", {}))
    glances: dict[str, Glance] = {}
    for column in plan.columns:
        name = column.source.removeprefix("property:")
        rules = domain.get(name)
        if name == column.source or not isinstance(rules, dict):
            continue
        once = _without_promised_format(rules, promised.get(name))
        domain[name], glance = _without_costs(once, column.type)
        if glance:
            glances[name] = glance
    return {**plan.effective, "allOf": [parts[0], {**parts[1], "properties": domain}]}, glances


def _without_costs(rules: dict[str, Any], type_: str) -> tuple[dict[str, Any], Glance | None]:
    numeric = _NUMERIC.fullmatch(type_)
    if type_ == "text" and rules.get("pattern") == _NO_NUL:
        return _without(rules, "pattern"), None
    if type_ == "jsonb" and rules.get("$ref") == _NO_NUL_WITHIN:
        return _without(rules, "$ref"), None
    if type_ == "timestamp with time zone" and "pattern" in rules:
        return _without(rules, "pattern"), _is_ordinary_instant
    if numeric and int(numeric[1]) in _SCALES and "multipleOf" in rules:
        return _without(rules, "multipleOf"), _has_decimals(int(numeric[1]))
    return rules, None


def _without_promised_format(rules: dict[str, Any], promised: Any) -> dict[str, Any]:
    """The rules, without a format that the record's own schema asks for as well: to look for it twice costs twice."""
    is_promised = isinstance(promised, dict) and promised.get("format") == rules.get("format")
    return _without(rules, "format") if is_promised else rules


def _without(rules: dict[str, Any], keyword: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name != keyword}


def _is_ordinary_instant(value: Json) -> bool:
    """Whether a string that is a date-time is in UTC, of a year that any zone leaves one of Postgres', to microseconds."""
    return (
        type(value) is str
        and value[-1] == "Z"
        and len(value) in _INSTANT_LENGTHS
        and value[17] != "6"  # no leap second
        and "0002" <= value < "9999"
    )


def _has_decimals(scale: int) -> Glance:
    """Whether a number has so many decimals at most.

    A double that was read from at most fifteen digits has exactly if it is the nearest to a whole number of such units: no
    two numbers of fifteen digits are the same double.
    """
    units = 10**scale

    def holds(value: Json) -> bool:
        return type(value) is int or (type(value) is float and round(value * units) / units == value)

    return holds
