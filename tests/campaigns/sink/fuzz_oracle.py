"""What must become of a body, said anew: docs/messages.md and docs/manifest.md in plain code, and jsonschema.

Where a body breaks several rules, any of their reasons is right: which one is told first is not promised.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import jsonschema

from tests.campaigns.sink import strict_json
from tests.campaigns.sink.fuzz_dataset import NAME, RECORD, RECORD_SHA256

MAX_BYTES = 100_000  # the plan's limit in this campaign
MAX_DEPTH = 512
# Deeper than this a body may not be read at all; how deep exactly a reader gets is its own affair.
UNREADABLE_DEPTH = 700

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,6})?(?:[Zz]|[+-]([0-9]{2}):([0-9]{2}))")
_ENVELOPE = {"dataset", "id", "schema", "records", "origin"}


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, Decimal) and value == value.to_integral_value()


_TYPES = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"number": lambda _, value: isinstance(value, Decimal), "integer": _is_integer}
)
_VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_TYPES)(RECORD)


@dataclass(frozen=True)
class Judged:
    """A record and why it is refused; no reason where it is valid."""

    value: Any
    position: int
    reasons: frozenset[str]


@dataclass(frozen=True)
class Verdict:
    """`whole`: reasons to refuse the body as it is. Otherwise its records; `identity` is None where SQS' id counts."""

    whole: frozenset[str] = frozenset()
    records: tuple[Judged, ...] = ()
    identity: str | None = None


@dataclass
class _Faults:
    reasons: set[str] = field(default_factory=set)

    def unless(self, holds: bool, reason: str) -> None:
        if not holds:
            self.reasons.add(reason)


def judge(text: str) -> Verdict:
    """The verdict on a body."""
    whole = _body_faults(text)
    if whole:
        return Verdict(frozenset(whole))
    found = strict_json.read(text)
    faults = _envelope_faults(found.value)
    if found.depth > UNREADABLE_DEPTH:
        return Verdict(frozenset({*faults, "too_deep"}))
    if faults:
        return Verdict(frozenset(faults))
    envelope = found.value
    origin = envelope.get("origin")
    identity = (origin or envelope).get("id")
    is_known = envelope.get("schema") in (None, "", RECORD_SHA256)
    return Verdict(
        records=tuple(
            Judged(
                record,
                int(origin["position"]) if origin else index,
                _reasons(_record_faults(record), is_known=is_known),
            )
            for index, record in enumerate(envelope["records"])
        ),
        identity=identity.lower() if identity else None,
    )


def _reasons(faults: frozenset[str], *, is_known: bool) -> frozenset[str]:
    """A record that breaks a schema is told apart where its envelope names one that the plan does not know."""
    if is_known:
        return faults
    return frozenset("schema_unknown" if reason == "schema_violation" else reason for reason in faults)


def _body_faults(text: str) -> set[str]:
    faults = _Faults()
    faults.unless(len(text.encode()) <= MAX_BYTES, "body_too_large")
    faults.unless(not text.startswith("\ufeff"), "invalid_encoding")
    if faults.reasons:
        return faults.reasons
    try:
        found = strict_json.read(text)
        if found.has_half:
            faults.reasons.add("invalid_encoding")
            faults.unless(found.depth <= UNREADABLE_DEPTH, "too_deep")
    except strict_json.NotJsonError:
        faults.reasons.add("not_json")
        # A reader that meets the depth first does not come to what is wrong behind it.
        faults.unless(max(text.count("["), text.count("{")) <= UNREADABLE_DEPTH, "too_deep")
    return faults.reasons


def _envelope_faults(value: Any) -> set[str]:
    if not isinstance(value, dict) or not {"dataset", "records"} <= value.keys():
        return {"not_an_envelope"}
    faults = _Faults()
    faults.unless(value["dataset"] == NAME, "wrong_dataset")
    records = value["records"]
    is_list = isinstance(records, list) and bool(records)
    faults.unless(is_list and value.keys() <= _ENVELOPE, "not_an_envelope")
    faults.unless("id" not in value or _is_uuid(value["id"]), "not_an_envelope")
    faults.unless(value.get("schema") is None or isinstance(value["schema"], str), "not_an_envelope")
    if "origin" in value:
        origin = value["origin"]
        is_origin = isinstance(origin, dict) and _is_uuid(origin.get("id"))
        is_origin = is_origin and _is_position(origin.get("position")) and is_list and len(records) == 1
        faults.unless(is_origin, "not_an_envelope")
    return faults.reasons


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _is_position(value: Any) -> bool:
    """A 32-bit integer that is written as one: 1.0 is none."""
    is_written_so = isinstance(value, Decimal) and value.as_tuple().exponent == 0
    return is_written_so and 0 <= value < 2**31


def _record_faults(record: Any) -> frozenset[str]:
    faults = _Faults()
    depth, scalars = _walk(record)
    faults.unless(depth <= MAX_DEPTH, "too_deep")
    faults.unless(not any(isinstance(one, str) and "\0" in one for one in scalars), "nul_character")
    numbers = [one for one in scalars if isinstance(one, Decimal)]
    faults.unless(all(map(_fits_numeric, numbers)), "number_out_of_range")
    if faults.reasons:
        return frozenset(
            {*faults.reasons, "schema_violation"} if isinstance(record, dict) else faults.reasons
        )
    faults.unless(_VALIDATOR.is_valid(record), "schema_violation")
    if isinstance(record, dict):
        _field_faults(record, faults)
    return frozenset(faults.reasons)


def _walk(record: Any) -> tuple[int, list[Any]]:
    """How deep the containers are, and all scalars, keys among them."""
    depth, scalars, level = 0, [], [record]
    while True:
        containers = [one for one in level if isinstance(one, dict | list)]
        scalars += [one for one in level if not isinstance(one, dict | list)]
        if not containers:
            return depth, scalars
        depth += 1
        level = []
        for one in containers:
            level += [*one.keys(), *one.values()] if isinstance(one, dict) else one


def _fits_numeric(number: Decimal) -> bool:
    """Postgres: up to 131,072 digits before the point, up to 16,383 after it."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    return len(digits) + exponent <= 131_072 and -exponent <= 16_383


def _field_faults(record: dict[str, Any], faults: _Faults) -> None:
    """What the columns cannot hold, whatever the record schema says."""
    for name, rule, reason in (
        ("occurred_at", _is_instant, "schema_violation"),
        ("day", _is_day, "schema_violation"),
        ("ref", _is_uuid, "schema_violation"),
        ("big", lambda value: -(2**63) <= value < 2**63, "schema_violation"),
        ("amount", _has_cents, "schema_violation"),
        ("value", _is_double, "number_out_of_range"),
    ):
        value = record.get(name)
        if isinstance(value, Decimal if name in {"big", "amount", "value"} else str):
            faults.unless(rule(value), reason)
    value = record.get("value")
    if isinstance(value, Decimal) and not _is_double(value):
        faults.reasons.add("schema_violation")


def _has_cents(value: Decimal) -> bool:
    """Two decimals, which trailing zeros do not exceed. Exact: no context rounds here."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return exponent >= -2 or not any(digits[max(0, len(digits) + exponent + 2) :])


def _is_double(value: Decimal) -> bool:
    """Neither zero nor infinity once it is a double, unless it is zero."""
    double = float(value)
    return abs(double) != float("inf") and (double == 0) == (value == 0)


def _is_day(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    year, month, day = map(int, found.groups())
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def _is_instant(text: str) -> bool:
    """RFC 3339 with what a timestamptz knows: no second 60, six fraction digits, offsets below 16 hours."""
    if not (_is_day(text[:10]) and text[10:11] in ("T", "t")):
        return False
    found = _TIME.fullmatch(text[11:])
    if not found:
        return False
    hour, minute, second = (int(found[number]) for number in (1, 2, 3))
    is_time = hour <= 23 and minute <= 59 and second <= 59
    return is_time and (found[5] is None or (int(found[5]) <= 15 and int(found[6]) <= 59))
