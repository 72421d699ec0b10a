"""Hypothesis strategies: manifests that `check` accepts, and records that a dataset's effective schema admits.

    @given(manifests())                 a manifest of the right shape, as a dict
    @given(st.data())                   record = data.draw(records(dataset))

Names, strings, numbers and instants are as hostile as the contracts allow.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
from hypothesis import assume
from hypothesis import strategies as st

from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    Column,
    ColumnType,
    Dataset,
    Date,
    Double,
    Integer,
    Jsonb,
    Numeric,
    Property,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.lower import lower
from compiler.manifest import RawManifest
from compiler.problems import Severity
from compiler.record.naming import good_name
from compiler.rules.record import RECORD_RULES

# --- names ---------------------------------------------------------------------------------------------------------

GOOD_NAMES = [f"{stem}_{number}" for number in range(4) for stem in ("org", "amount", "seen", "note", "flag")]
HOSTILE_NAMES = [
    *(
        "user",
        "order",
        "orgId",
        "a-b",
        "1st",
        "ctid",
        "xmin",
        "tableoid",
        "é",
        "😀",
        'qu"ote',
        "it's",
        "per%cent",
    ),
    *(
        "%s",
        "{}",
        "a b",
        "back\\slash",
        "x" * 63,
        "x" * 64,
        "é" * 40,
        "sluice_sent_at",
        "title",
        "default",
        "$ref",
    ),
    *("type", "properties", "null", "$1", "a.b", "a/b", "a~b", "#", "--", ";"),
]

# --- values --------------------------------------------------------------------------------------------------------

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
hostile_texts = st.sampled_from(
    [
        *(
            "",
            " ",
            "'",
            '"',
            "\\",
            "\\\\",
            "$1",
            "%s",
            "%",
            "\n",
            "\r\n",
            "\t",
            "\u2028",
            "\u202e",
            "\ufeff",
            "\x7f",
        ),
        *(
            "é",
            "e\u0301",
            "😀",
            "\U0010ffff",
            "null",
            "{}",
            "{a,b}",
            "now",
            "NaN",
            "infinity",
            "\x01",
            "\ud7ff",
            "\ue000",
        ),
    ]
)
texts = st.one_of(
    st.text(characters, max_size=30), hostile_texts, st.lists(hostile_texts, max_size=4).map("".join)
)
integers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**30]),
    st.sampled_from(
        ["1.0", "-0.0", "9007199254740993.0", "1e3", "1E+2", "100e-2", "9223372036854775807.0"]
    ).map(Decimal),
)
decimals = st.one_of(
    st.decimals(-(10**9), 10**9, places=4),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Decimal(repr(value))),
    st.sampled_from(
        [
            *(
                "0.1",
                "0.30000000000000004",
                "100.00000000000000001",
                "1e-10",
                "1e-300",
                "1e-301",
                "5e-324",
                "1e-400",
            ),
            *(
                "1.7976931348623157e308",
                "1e308",
                "1e309",
                "99999999.9999",
                "99999999.99995",
                "99999999.99994999",
            ),
            *(
                "1e22",
                "1e23",
                "0e0",
                "-0",
                "-0.0",
                "0.00",
                "123456789012345678901234567890.123456789",
                "0.5",
                "1.5e1",
            ),
        ]
    ).map(Decimal),
    integers,
)
uuids = st.uuids().flatmap(lambda value: st.sampled_from([str(value), str(value).upper()]))
_offsets = st.one_of(
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+15:59", "-15:59", "+16:00", "+23:59", "+05:30"]),
    st.integers(-959, 959).map(lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}"),
)
_days = st.one_of(
    st.dates().map(date.isoformat),
    st.sampled_from(["0001-01-01", "9999-12-31", "0000-01-01", "2000-02-29", "1900-02-28", "0004-02-29"]),
)
_clocks = st.one_of(
    st.times().map(lambda value: value.isoformat()),
    st.sampled_from(
        ["00:00:00", "23:59:59", "23:59:59.999999", "23:59:60", "12:00:00.1234567", "00:00:00.000001"]
    ),
)
date_times = st.tuples(_days, st.sampled_from(["T", "t"]), _clocks, _offsets).map("".join)
day_times = st.tuples(_clocks, _offsets).map("".join)
base64s = st.one_of(
    st.binary(max_size=40).map(lambda value: b64encode(value).decode()),
    st.sampled_from(["aGVsbG8", "aGVsbG9=", "-_8=", "aGVs\nbG8=", " aGVsbG8=", "a\\b", "\\x00", "===="]),
)
_keys = st.one_of(texts, st.just("a\0b"))
json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), integers, decimals, texts, st.just("nul\0"), st.just(Decimal("1e-400"))
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=8,
)

# --- property schemas ----------------------------------------------------------------------------------------------

_NUMBERS = {"type": "number"}
AGREED_PATTERNS = [
    *(
        "^[a-z][a-z0-9_]*$",
        "^(red|green|blue)$",
        "[0-9]{2,4}",
        "^a?b+c*$",
        r"^v\d{0}x$",
        r"^[A-Z]{3}-[0-9]{1,6}$",
    ),
    *(r"^\$[0-9]+\.[0-9]{2}$", "^(?:ab|cd){1,3}$", "x|y$", "^[ -~]*$", "^[-a]+$", "^[a-]+$"),
]
OTHER_PATTERNS = [r"^\w+$", r"^\S+$", "^a.b$", r"^\p{L}+$", "^[^x]*$", r"^\d+$", "(?=a)a"]


@st.composite
def _text_schemas(draw):
    schema: dict[str, Any] = {"type": "string"}
    match draw(st.sampled_from(["plain", "length", "enum", "const", "pattern", "other pattern", "email"])):
        case "length":
            low = draw(st.integers(0, 3))
            schema |= {"minLength": low, "maxLength": low + draw(st.integers(0, 40))}
        case "enum":
            schema["enum"] = draw(st.lists(texts, min_size=1, max_size=4, unique=True))
        case "const":
            schema["const"] = draw(texts)
        case "pattern":
            schema |= {"pattern": draw(st.sampled_from(AGREED_PATTERNS)), "maxLength": 60}
        case "other pattern":
            schema["pattern"] = draw(st.sampled_from(OTHER_PATTERNS))
        case "email":
            schema["format"] = "email"
    return schema, {}


@st.composite
def _number_schemas(draw):
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    low, high = sorted(
        draw(st.lists(_bounds, min_size=2, max_size=2, unique=True))
    )  # else they leave nothing
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = high
    if draw(st.integers(0, 5)) == 0:
        schema = {"enum": draw(st.lists(_bounds, min_size=1, max_size=3, unique=True))}
    options: dict[str, Any] = {}
    type_ = draw(
        st.sampled_from([None, None, "bigint", "numeric", "numeric(p,s)", "double precision", "rounds"])
    )
    if type_ in {"numeric(p,s)", "rounds"}:
        precision = draw(st.integers(1, 45))
        options["type"] = f"numeric({precision},{draw(st.integers(0, precision))})"
        if type_ == "rounds":
            options["round"] = True
    elif type_:
        options["type"] = type_
    return schema, options


_bounds = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(2**64), 2**64),
    st.sampled_from([0, 1, -1, 100, 2**53, 2**63, 10**20]),
    st.sampled_from([0.5, 0.1, 99.99, -0.0001, 1e-5, 1e300, 0.30000000000000004]),
)
_plain = st.sampled_from(
    [
        ({"type": "boolean"}, {}),
        ({"const": True}, {}),
        ({"type": "string", "format": "uuid"}, {}),
        ({"type": "string"}, {"type": "uuid"}),
        ({"type": "string", "format": "date-time"}, {}),
        ({"type": "string", "maxLength": 40}, {"type": "timestamptz"}),
        ({"type": "string", "format": "date"}, {}),
        ({"type": "string", "format": "time"}, {}),
        ({"type": "string", "format": "time"}, {"type": "text"}),
        ({"type": "string"}, {"type": "timetz"}),
        ({"type": "string", "contentEncoding": "base64"}, {}),
        ({"type": "string", "contentEncoding": "base64", "maxLength": 44}, {}),
        ({"type": "string", "contentEncoding": "base64"}, {"type": "text"}),
        ({"type": "string"}, {"type": "bytea"}),
        ({"type": "object"}, {}),
        ({"type": "array", "items": {"type": ["number", "string"]}}, {}),
        ({"type": ["string", "integer"]}, {}),
        ({"type": "integer"}, {"type": "jsonb"}),
        ({"oneOf": [{"type": "string", "maxLength": 3}, {"type": "array"}]}, {}),
        ({"$ref": "#/$defs/tree"}, {}),
        (True, {}),
        ({}, {}),
    ]
)
ELEMENTS = {
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "numeric": {"type": "number"},
    "text": {"type": "string"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
}


@st.composite
def _array_schemas(draw):
    element = draw(st.sampled_from(sorted(ELEMENTS)))
    item: Any = ELEMENTS[element]
    if draw(st.booleans()):
        item = {**item, "type": [item["type"], "null"]}
    schema: dict[str, Any] = {"type": "array", "items": item}
    if draw(st.integers(0, 3)) == 0:
        schema |= {"prefixItems": [item], "maxItems": 4}
    return schema, {"type": f"{element}[]"}


TREE = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}


@st.composite
def property_schemas(draw):
    """(schema, column options) of one property, sometimes nullable, sometimes behind a `$ref`."""
    schema, options = draw(st.one_of(_text_schemas(), _number_schemas(), _plain, _array_schemas()))
    nullable = draw(st.sampled_from(["no", "no", "no", "anyOf", "type", "enum"]))
    if isinstance(schema, dict) and schema:
        if nullable == "anyOf":
            schema = {"anyOf": [schema, {"type": "null"}]}
        elif (
            nullable == "type"
            and isinstance(schema.get("type"), str)
            and not {"enum", "const"} & schema.keys()
        ):
            schema = {**schema, "type": [schema["type"], "null"]}
        elif nullable == "enum" and "enum" in schema:
            schema = {"enum": [*schema["enum"], None]}
    return schema, dict(options)


# --- manifests -----------------------------------------------------------------------------------------------------


@st.composite
def manifests(draw, hostile_names: bool = True):
    """A manifest that `check` accepts, with columns of every type, keys, modes, indexes, defaults and checks."""
    names = draw(
        st.lists(
            st.sampled_from(GOOD_NAMES + (HOSTILE_NAMES if hostile_names else [])),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    properties, options = {}, {}
    definitions: dict[str, Any] = {"tree": TREE}
    for name in names:
        properties[name], options[name] = draw(property_schemas())
        if name in HOSTILE_NAMES:
            options[name]["column"] = f"{good_name(name)[:40]}_{len(properties)}"
        if draw(st.integers(0, 4)) == 0:
            definitions[f"d{len(properties)}"] = properties[name]
            properties[name] = {"$ref": f"#/$defs/d{len(properties)}"}
    required = [name for name in names if draw(st.booleans())]
    record = {
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": definitions,
        draw(st.sampled_from(["additionalProperties", "unevaluatedProperties"])): False,
    }
    table: dict[str, Any] = {"key": "$message"}
    platform = {
        "at": "$ingested_at",
        "sent": "$sent_at",
        "mid": "$message_id",
        "who": "$sender",
        "raw": "$record",
    }
    options |= {
        name: {"from": platform[name]}
        for name in draw(st.sets(st.sampled_from(sorted(platform)), max_size=3))
    }
    if any(given.get("from") == "$record" for given in options.values()) and draw(st.booleans()):
        record.pop("additionalProperties", None)
        record.pop("unevaluatedProperties", None)
    table["columns"] = {name: given for name, given in options.items() if given}
    manifest = {
        "name": draw(st.sampled_from(["alerts", "x" * 48])),
        "version": draw(st.sampled_from([1, 9999])),
        "owner": "team",
        "record": record,
        "table": table,
    }
    assume(not _errors(manifest))
    dataset = lower(RawManifest(json.loads(json.dumps(manifest)), Path()))
    draw(_keyed(table, dataset))
    if draw(st.booleans()):
        manifest["description"] = draw(texts)
    assume(not _errors(manifest))
    return json.loads(json.dumps(manifest))


@st.composite
def _keyed(draw, table, dataset):
    """Give the table a key, a mode, indexes and checks that its columns allow."""
    plain = [column for column in dataset.columns if not isinstance(column.type, Jsonb | Array)]
    sure = [c for c in plain if isinstance(c.source, Property) and not c.nullable and not c.optional]
    if sure and draw(st.booleans()):
        table["key"] = draw(
            st.lists(st.sampled_from([c.name for c in sure]), min_size=1, max_size=3, unique=True)
        )
        newer = [
            c.name
            for c in sure
            if isinstance(c.type, BigInt | Numeric | Date | Timestamptz) and c.name not in table["key"]
        ]
        modes = ["ignore", "update", *({"update_if_newer": name} for name in newer)]
        table["on_conflict"] = draw(st.sampled_from(modes))
    if plain and draw(st.booleans()):
        columns = draw(
            st.lists(st.sampled_from([c.name for c in plain]), min_size=1, max_size=3, unique=True)
        )
        index = {
            "name": "one",
            "columns": [columns[0], *({"column": name, "order": "desc"} for name in columns[1:])],
        }
        if draw(st.booleans()):
            index["where"] = f"{plain[0].name} IS NOT NULL"
        table["indexes"] = [index]
    gin = [column.name for column in dataset.columns if isinstance(column.type, Jsonb | Array)]
    if gin and draw(st.booleans()):
        table.setdefault("indexes", []).append({"name": "two", "columns": gin[:2], "method": "gin"})
    if plain and draw(st.booleans()):
        table["checks"] = {"sane": f"{plain[0].name} IS NULL OR {plain[0].name} = {plain[0].name}"}
    for column in dataset.columns:
        if isinstance(column.source, Property) and column.optional and draw(st.integers(0, 3)) == 0:
            value = draw(property_values(dataset, column).filter(_plain_json))
            given = table["columns"].setdefault(column.source.name, {})
            given["default"] = json.loads(json.dumps(value, default=float))


def _plain_json(value: Any) -> bool:
    """Can the value stand in a manifest (no number that needs a decimal)?"""
    return value is not None and "Decimal" not in repr(value) and "\\u0000" not in json.dumps(value)


def _errors(manifest: dict[str, Any]) -> list[Any]:
    raw = RawManifest(json.loads(json.dumps(manifest)), Path())
    return [found for rule in RECORD_RULES for found in rule(raw) if found.severity is Severity.ERROR]


def dataset_of(manifest: dict[str, Any]) -> Dataset:
    """The manifest lowered."""
    return lower(RawManifest(json.loads(json.dumps(manifest)), Path()))


# --- records -------------------------------------------------------------------------------------------------------


def records(dataset: Dataset) -> st.SearchStrategy[dict[str, Any]]:
    """Records that the effective schema admits, numbers as Decimal where they need it.

    The decoder's own rules (U+0000 in keys, numbers that no column holds) are for `decodable`.
    """
    required, optional = {}, {}
    for column in dataset.columns:
        if isinstance(column.source, Property):
            into = optional if column.optional else required
            into[column.source.name] = property_values(dataset, column)
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    record = st.fixed_dictionaries(required, optional=optional)
    if not any(
        effective.get(keyword, True) is False
        for effective in dataset.effective.value["allOf"]
        for keyword in _CLOSING
    ):
        others = st.dictionaries(texts, json_values, max_size=2)
        record = st.tuples(others, record).map(lambda pair: {**pair[0], **pair[1]})
    return record.filter(validator.is_valid)


_CLOSING = ("additionalProperties", "unevaluatedProperties")


def property_values(dataset: Dataset, column: Column) -> st.SearchStrategy[Any]:
    """Values of one property that the effective schema admits."""
    assert isinstance(column.source, Property)
    name = column.source.name
    effective = dataset.effective.value
    parts = [part.get("properties", {}) for part in effective["allOf"]]
    relevant = [properties[name] for properties in parts if name in properties]
    schema = {"allOf": relevant or [True], "$defs": effective.get("$defs", {})}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    listed = _listed(relevant, effective.get("$defs", {}))
    strategy = st.one_of(*([st.sampled_from(listed)] if listed else []), _values(column, schema), st.none())
    return strategy.filter(validator.is_valid)


def _listed(schema: Any, definitions: dict[str, Any], depth: int = 0) -> list[Any]:
    """What enum, const and patterns name, so that drawing finds it."""
    found: list[Any] = []
    match schema:
        case dict() if depth < 6:
            found += schema.get("enum", [])
            found += [schema["const"]] if "const" in schema else []
            found += _matching.get(schema.get("pattern", ""), [])
            for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
                if bound in schema:
                    found += _near(schema[bound])
            if "$ref" in schema:
                found += _listed(definitions.get(schema["$ref"].rpartition("/")[2]), definitions, depth + 1)
            for keyword in ("anyOf", "oneOf", "allOf"):
                found += _listed(schema.get(keyword, []), definitions, depth)
        case list():
            for part in schema:
                found += _listed(part, definitions, depth)
    return [value for value in found if not isinstance(value, dict)]


def _near(bound: float) -> list[Any]:
    exact = Decimal(repr(bound))
    return [
        bound,
        exact + 1,
        exact - 1,
        exact + Decimal("1e-20"),
        exact - Decimal("1e-20"),
        exact - Decimal("0.0001"),
    ]


_matching = {
    "^[a-z][a-z0-9_]*$": ["a", "z9_"],
    "^(red|green|blue)$": ["red", "blue"],
    "[0-9]{2,4}": ["12", "x1234y"],
    "^a?b+c*$": ["b", "abbcc"],
    r"^[A-Z]{3}-[0-9]{1,6}$": ["ABC-1"],
    r"^\$[0-9]+\.[0-9]{2}$": ["$1.00"],
    "^(?:ab|cd){1,3}$": ["abcd"],
    "x|y$": ["x", "ay"],
    "^[-a]+$": ["-a"],
    "^[a-]+$": ["a-"],
    r"^\w+$": ["a_1"],
    r"^\S+$": ["é"],
    "^a.b$": ["aéb"],
    r"^\p{L}+$": ["éa"],
    r"^\d+$": ["123"],
    "(?=a)a": ["za"],
    r"^v\d{0}x$": ["vx"],
}


def _values(column: Column, schema: Any) -> st.SearchStrategy[Any]:
    match column.type:
        case Array():
            return st.lists(st.one_of(_plain_values(column.type.element), st.none()), max_size=4)
        case Text() if "email" in json.dumps(schema):
            return st.sampled_from(["a@example.com", "é@example.com"])
        case Text() if '"time"' in json.dumps(schema):
            return st.sampled_from(["12:00:00Z", "23:59:60Z"])
        case _:
            return _plain_values(column.type)


def _plain_values(type_: ColumnType) -> st.SearchStrategy[Any]:
    match type_:
        case BigInt() | Integer():
            return integers
        case Numeric() | Double():
            return decimals
        case Boolean():
            return st.booleans()
        case Text():
            return texts
        case Uuid():
            return uuids
        case Timestamptz():
            return date_times
        case Date():
            return _days
        case Timetz():
            return day_times
        case Bytea():
            return base64s
        case _:
            return json_values


# --- what was stored -----------------------------------------------------------------------------------------------


def stored_equal(column: Column, sent: Any, stored: Any) -> bool:
    """Does the column give back what the record said?

    Numbers are compared mathematically (a double with the nearest one), instants as instants, uuids without case,
    times of day with the offset as it was written, base64 by its bytes.
    """
    if sent is None or stored is None:
        return sent is None and stored is None
    match column.type:
        case Array(element):
            each = replace(column, type=element)
            alike = zip(sent, stored, strict=False)
            return len(sent) == len(stored) and all(stored_equal(each, *pair) for pair in alike)
        case Timetz():
            written = time.fromisoformat(sent.upper())
            return (written, written.utcoffset()) == (stored, stored.utcoffset())
        case Bytea():
            return b64decode(sent, validate=True) == bytes(stored)
        case BigInt() | Integer():
            return not isinstance(sent, str) and Decimal(sent) == stored
        case Numeric():
            return _numeric_equal(column, Decimal(str(sent)), stored)
        case Double():
            return float(Decimal(str(sent))) == stored
        case Uuid():
            return UUID(sent) == stored
        case Timestamptz():
            return _instant(sent) == _as_instant(stored)
        case Date():
            return date.fromisoformat(sent) == stored
        case Jsonb():
            return json_equal(sent, stored)
        case _:
            return type(sent) is type(stored) and sent == stored


def _numeric_equal(column: Column, sent: Decimal, stored: Decimal) -> bool:
    if not column.rounds:
        return sent == stored
    scale = column.type.scale or 0
    return abs(sent - stored) * 2 <= Decimal(1).scaleb(-scale) and stored.as_tuple().exponent == -scale


def _instant(text: str) -> tuple[int, int]:
    """Seconds since the year 1 and microseconds, in UTC; years 0 and 10000 included."""
    text = text.upper()
    clock = text[:19]
    rest = text[19:]
    fraction = ""
    if rest.startswith("."):
        digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
        fraction, rest = rest[1 : 1 + digits], rest[1 + digits :]
    offset = 0
    if rest != "Z":
        sign = -1 if rest[0] == "-" else 1
        offset = sign * (int(rest[1:3]) * 3600 + int(rest[4:6]) * 60)
    naive = datetime.fromisoformat(clock)
    seconds = (naive - datetime(1, 1, 1)) // timedelta(seconds=1)  # noqa: DTZ001 - an epoch
    return seconds - offset, int(fraction.ljust(6, "0") or 0)


def _as_instant(stored: datetime) -> tuple[int, int]:
    utc = stored.astimezone(UTC if stored.tzinfo else timezone.utc)  # noqa: UP017
    naive = utc.replace(tzinfo=None)
    return (naive.replace(microsecond=0) - datetime(1, 1, 1)) // timedelta(seconds=1), naive.microsecond  # noqa: DTZ001


def json_equal(sent: Any, stored: Any) -> bool:
    """Equal as JSON: numbers mathematically, booleans apart from numbers."""
    if isinstance(sent, bool) or isinstance(stored, bool):
        return sent is stored
    if isinstance(sent, int | float | Decimal) and isinstance(stored, int | float | Decimal):
        return Decimal(str(sent)) == Decimal(str(stored))
    if isinstance(sent, list) and isinstance(stored, list):
        return len(sent) == len(stored) and all(map(json_equal, sent, stored))
    if isinstance(sent, dict) and isinstance(stored, dict):
        return sent.keys() == stored.keys() and all(json_equal(sent[key], stored[key]) for key in sent)
    return type(sent) is type(stored) and sent == stored


def json_text(value: Any) -> str:
    """JSON text with every digit of a Decimal."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{json_text(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(json_text, value)) + "]"
        case _:
            return json.dumps(value)
