"""The effective schema as a yes or no, answered fast for ordinary records, any number of them together.

The plan's schema is allOf [record, domain]: what the producer promises, and what the columns can hold. The domain's rules
of text, jsonb, timestamps and numerics cost a validator many times what the record's own do, and for ordinary values they
are decided in passing: the decoder has looked for U+0000, a timestamp ends in Z, a number has few decimals. So a validator
without those rules, and these glances, may admit a record. Whatever they do not admit is for the whole schema to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from sink_runtime.plan import SinkPlan
from sink_runtime.records.decoder import Json

_NUMERIC = re.compile(r"numeric\(\d+,(\d+)\)")
_NO_NUL = "^[^\\u0000]*$"
_NO_NUL_WITHIN = "#/$defs/sluice_json"
_SCALES = range(1, 16)
_NUMBERS = {int, float}
# Of years that no offset takes out of Postgres' and drivers' reach. The validator sees that each is a date-time.
_INSTANTS = re.compile(
    r"(?:(?!000[01]|9999)\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)\n)*",
    re.ASCII,
)

Glance = Callable[[list[Json]], bool]  # at one property of several records, where it is there and not null


class EffectiveSchema:
    """One plan's schema. For any number of threads."""

    def __init__(self, plan: SinkPlan) -> None:
        self._whole = jsonschema_rs.Draft202012Validator(plan.effective, validate_formats=True)
        relaxed, glances = _relaxed(plan)
        # With an id of its own, since what it refers to begins at its root.
        together = {"type": "array", "items": {**relaxed, "$id": "urn:sluice:record"}}
        self._relaxed = jsonschema_rs.Draft202012Validator(together, validate_formats=True)
        self._glances = tuple(sorted(glances.items()))
        self.admits: Callable[[Json], bool] = self._whole.is_valid

    def iter_errors(self, record: Json) -> Iterator[jsonschema_rs.ValidationError]:
        """Why it does not admit a record. Raises ValueError where an error would hold a number too long for Python."""
        return self._whole.iter_errors(record)

    def are_ordinary(self, records: list[Json]) -> bool:
        """Whether it admits all, as far as a glance can tell; they are records in which the decoder found nothing that may
        not be storable. False says nothing of any.
        """
        if set(map(type, records)) != {dict} or not self._relaxed.is_valid(records):
            return False
        for name, are_ordinary in self._glances:
            values = [value for record in records if (value := record.get(name)) is not None]
            if values and not are_ordinary(values):
                return False
        return True


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
        return _without(rules, "pattern"), _are_ordinary_instants
    if numeric and int(numeric[1]) in _SCALES and "multipleOf" in rules:
        return _without(rules, "multipleOf"), _have_decimals(int(numeric[1]))
    return rules, None


def _without_promised_format(rules: dict[str, Any], promised: Any) -> dict[str, Any]:
    """The rules, without a format that the record's own schema asks for as well: to look for it twice costs twice."""
    is_promised = isinstance(promised, dict) and promised.get("format") == rules.get("format")
    return _without(rules, "format") if is_promised else rules


def _without(rules: dict[str, Any], keyword: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name != keyword}


def _are_ordinary_instants(values: list[Json]) -> bool:
    return set(map(type, values)) == {str} and _INSTANTS.fullmatch("\n".join([*values, ""])) is not None


def _have_decimals(scale: int) -> Glance:
    """Whether numbers have so many decimals at most.

    A double that was read from at most fifteen digits has exactly if it is the nearest to a whole number of such units: no
    two numbers of fifteen digits are the same double.
    """
    units = 10**scale

    def hold(values: list[Json]) -> bool:
        if not set(map(type, values)) <= _NUMBERS:
            return False
        return [value if type(value) is int else round(value * units) / units for value in values] == values

    return hold
