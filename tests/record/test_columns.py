"""Properties to columns: types, null, names, defaults, the record as an object."""

from __future__ import annotations

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.dataset import (
    BigInt,
    Boolean,
    Bound,
    Bytea,
    Check,
    Date,
    Double,
    Jsonb,
    Length,
    Matches,
    Numeric,
    OneOf,
    Platform,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.lower import lower
from compiler.record.bundle import Bundle
from compiler.record.kinds import Kind, admits_null, ask_null, kind_of, kinds
from compiler.record.naming import fault, good_name
from compiler.record.objects import object_findings, record_object
from tests.record.conftest import findings, lowered, manifest_of, rules_broken

TYPES = [
    ({"type": "integer"}, BigInt()),
    ({"type": "integer", "maximum": 2**64}, Numeric()),
    ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, BigInt()),
    ({"type": "number"}, Double()),
    ({"type": ["integer", "number"]}, Double()),
    ({"type": "boolean"}, Boolean()),
    ({"const": True}, Boolean()),
    ({"type": "string"}, Text()),
    ({"type": "string", "format": "email"}, Text()),
    ({"type": "string", "format": "uuid"}, Uuid()),
    ({"type": ["null", "string"], "format": "date-time"}, Timestamptz()),
    ({"type": "string", "format": "date"}, Date()),
    ({"type": "string", "format": "time"}, Timetz()),
    ({"type": "string", "contentEncoding": "base64"}, Bytea()),
    ({"type": "string", "contentEncoding": "BASE64"}, Bytea()),
    ({"type": "string", "contentEncoding": "base32"}, Text()),
    ({"type": "string", "format": "uuid", "contentEncoding": "base64"}, Text()),
    ({"enum": ["a", "b", None]}, Text()),
    ({"enum": [1, 2]}, BigInt()),
    ({"enum": [1, 2.5]}, Double()),
    ({"enum": [1, "a"]}, Jsonb()),
    ({"type": "object"}, Jsonb()),
    ({"type": "array"}, Jsonb()),
    ({"type": ["string", "integer"]}, Jsonb()),
    ({}, Jsonb()),
    (True, Jsonb()),
    ({"format": "uuid"}, Jsonb()),
    ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, Uuid()),
    ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, BigInt()),
    ({"oneOf": [{"const": "a"}, {"const": "b"}]}, Text()),
    ({"oneOf": [{"type": "string", "format": "uuid"}, {"type": "string", "maxLength": 3}]}, Text()),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, Jsonb()),
    ({"allOf": [{"type": "string"}, {"format": "date"}]}, Date()),
]


@pytest.mark.parametrize(("schema", "type_"), TYPES, ids=str)
def test_types(schema, type_):
    assert lowered({"a": schema}).columns[0].type == type_


@pytest.mark.parametrize(
    ("schema", "required", "nullable"),
    [
        ({"type": "integer"}, True, False),
        ({"type": "integer"}, False, True),
        ({"type": ["integer", "null"]}, True, True),
        ({"enum": ["a", None]}, True, True),
        ({"not": {"type": "null"}}, True, False),
        ({"type": ["string", "null"], "not": {"const": None}}, True, False),
        ({"anyOf": [{"type": "integer"}, {"const": None}]}, True, True),
        ({"oneOf": [{"type": ["integer", "null"]}, {"type": "null"}]}, True, False),
        ({"if": {"type": "null"}, "then": False}, True, False),
        (True, True, True),
    ],
)
def test_null_is_the_validators_answer(schema, required, nullable):
    assert lowered({"a": schema}, required=["a"] if required else []).columns[0].nullable is nullable


leaves = st.sampled_from(
    [
        *({"type": "null"}, {"type": ["string", "null"]}, {"type": "integer"}, {"const": None}, {"const": 1}),
        *({"enum": [None, "a"]}, {"enum": [1, "a"]}, {"minLength": 3}, {"format": "uuid"}, True, False, {}),
        *(
            {"properties": {"x": False}},
            {"$ref": "#/$defs/null"},
            {"$ref": "#/$defs/text"},
            {"type": "number"},
        ),
    ]
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["not", "if", "then", "else"]), inner, min_size=1, max_size=3),
        st.tuples(st.sampled_from(["allOf", "anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        st.tuples(inner, inner)
        .filter(lambda pair: all(isinstance(one, dict) for one in pair))
        .map(lambda p: {**p[0], **p[1]}),
    ),
    max_leaves=8,
)
BUNDLE = Bundle({}, {"null": {"type": "null"}, "text": {"type": "string"}}, {}, (), ())


@given(schemas)
def test_the_shortcut_is_the_validators_answer(schema):
    assert admits_null(schema, kinds(schema, BUNDLE), BUNDLE) == ask_null(schema, BUNDLE)


@given(schemas, st.sampled_from([None, True, 1, 1.5, "a", "text", [], {}, {"x": 1}]))
def test_no_type_is_left_out(schema, value):
    whole = {"allOf": [schema], "$defs": BUNDLE.definitions}
    if jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value):
        assert kinds(schema, BUNDLE) & kind_of(value), Kind


def test_columns_come_in_the_order_of_the_properties_then_the_platforms():
    dataset = lowered(
        {"z": {"type": "integer"}, "a": {"type": "integer"}},
        table={
            "columns": {
                "sent": {"from": "$sent_at"},
                "got": {"from": "$ingested_at"},
                "a": {"classification": "public"},
            }
        },
    )
    assert [column.name for column in dataset.columns] == ["z", "a", "sent", "got"]
    assert [column.nullable for column in dataset.columns] == [True, True, True, False]
    assert dataset.column("got").source is Platform.INGESTED_AT
    assert dataset.column("a").classification == "public"
    assert dataset.column("z").classification == "internal"


def test_properties_are_found_through_references_and_all_of():
    manifest = manifest_of(
        {"a": {"type": "integer"}},
        allOf=[{"properties": {"b": {"type": "string"}, "a": {"maximum": 5}}, "required": ["b"]}],
        **{
            "$ref": "#/$defs/base",
            "$defs": {"base": {"type": "object", "properties": {"c": {"type": "boolean"}}}},
        },
    )
    del manifest.value["record"]["additionalProperties"]
    manifest.value["record"]["unevaluatedProperties"] = False
    assert findings(manifest) == []
    dataset = lower(manifest)
    assert {column.name: (column.type, column.nullable) for column in dataset.columns} == {
        "a": (BigInt(), True),
        "c": (Boolean(), True),
        "b": (Text(), False),
    }
    assert Check("a", Bound("<=", "5")) in dataset.checks


@pytest.mark.parametrize(
    "record",
    [
        {"additionalProperties": True},
        {"additionalProperties": {}},
        {"additionalProperties": True, "unevaluatedProperties": False},
        {"additionalProperties": {"type": "string"}},
        {"additionalProperties": True, "allOf": [{"additionalProperties": True}]},
    ],
)
def test_an_open_record_needs_a_column_for_the_rest(record):
    properties = {"a": {"type": "integer"}}
    assert rules_broken(manifest_of(properties, **record)) == ["record-open"]
    keeps = {"columns": {"raw": {"from": "$record"}}}
    assert rules_broken(manifest_of(properties, table=keeps, **record)) == []


@pytest.mark.parametrize("keyword", ["additionalProperties", "unevaluatedProperties"])
def test_an_all_of_that_closes_around_another_part_is_noticed(keyword):
    manifest = manifest_of({"a": {"type": "integer"}}, allOf=[{"properties": {"b": {}}, keyword: False}])
    assert set(rules_broken(manifest)) == {"record-property-never"}


def test_a_record_without_properties_has_no_table():
    assert rules_broken(manifest_of({})) == ["record-empty"]


_names = st.sampled_from(["a", "b", "c"])
_objects = st.recursive(
    st.one_of(
        st.booleans(),
        st.dictionaries(_names, st.just(True), max_size=2).map(lambda found: {"properties": found}),
        st.sampled_from(
            [{"required": ["a"]}, {"$ref": "#/$defs/open"}, {"$ref": "#/$defs/b"}, {"minProperties": 1}]
        ),
    ),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["allOf", "anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=2)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        st.dictionaries(
            st.sampled_from(["additionalProperties", "unevaluatedProperties", "if", "then", "else", "not"]),
            inner,
            min_size=1,
            max_size=2,
        ),
        st.tuples(inner, inner)
        .filter(lambda pair: all(isinstance(one, dict) for one in pair))
        .map(lambda p: {**p[0], **p[1]}),
        inner.map(lambda schema: {"dependentSchemas": {"a": schema}}),
    ),
    max_leaves=8,
)


@given(
    schema=_objects,
    closing=st.sampled_from(["additionalProperties", "unevaluatedProperties"]),
    record=st.dictionaries(_names, st.just(1), max_size=3),
)
def test_a_record_called_closed_admits_no_stranger(schema, closing, record):
    definitions = {"open": {"additionalProperties": True}, "b": {"properties": {"b": True}}}
    whole = {
        "type": "object",
        closing: False,
        **(schema if isinstance(schema, dict) else {"allOf": [schema]}),
    }
    bundle = Bundle(whole, definitions, {}, (), ())
    found = record_object(bundle)
    validator = jsonschema_rs.Draft202012Validator(bundle.document)
    if found.closed and not list(object_findings(bundle, found, keeps_record=False)):
        assert not validator.is_valid({**record, "stranger": 1})
        names = {member.name for member in found.members}
        assert names >= record.keys() or not validator.is_valid(record)


@given(st.text())
def test_a_suggested_name_is_a_good_one(name):
    assert fault(good_name(name)) is None


def test_reserved_words_are_those_of_postgres(postgres):
    from compiler.record.naming import RESERVED_WORDS

    rows = postgres.execute("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')").fetchall()
    assert {row[0] for row in rows} <= RESERVED_WORDS


@pytest.mark.parametrize(
    "name", ["name", "type", "value", "timestamp", "date", "at", "_x", "x9", "interval", "key", "text"]
)
def test_other_words_are_good_names(postgres, name):
    assert fault(name) is None
    postgres.execute(f"SELECT {name} FROM (SELECT 1) AS t ({name})")


# --- checks --------------------------------------------------------------------------------------------------------


def rules(schema, **options):
    dataset = lowered({"a": schema}, table={"columns": {"a": options}} if options else None)
    return [check.rule for check in dataset.checks]


@pytest.mark.parametrize(
    ("schema", "options", "expected"),
    [
        ({"type": "string", "minLength": 0, "maxLength": 3}, {}, [Length(None, 3)]),
        (
            {"allOf": [{"type": "string", "minLength": 1}, {"minLength": 2, "maxLength": 9}]},
            {},
            [Length(2, 9)],
        ),
        ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}, {}, [Length(None, 3)]),
        ({"type": "string", "anyOf": [{"maxLength": 3}, {"maxLength": 9}]}, {}, []),
        ({"type": "string", "pattern": "^[a-z]+$"}, {}, [Matches("^[a-z]+$")]),
        ({"type": "string", "pattern": r"^\w+$"}, {}, []),
        ({"enum": ["b", "a", None]}, {}, [OneOf(('"a"', '"b"'))]),
        ({"const": 5}, {}, [OneOf(("5",))]),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, {}, [Bound(">=", "1"), Bound("<", "9")]),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": 3}, {}, [Bound(">", "3")]),
        ({"type": "integer", "maximum": 2**60}, {}, []),
        ({"type": "number", "exclusiveMaximum": 1}, {}, [Bound("<=", "1")]),
        ({"type": "number", "exclusiveMinimum": 0}, {}, [Bound(">", "0")]),
        ({"type": "number", "exclusiveMaximum": 1}, {"type": "numeric(5,2)"}, [Bound("<", "1")]),
        (
            {"type": "number", "exclusiveMaximum": 1},
            {"type": "numeric(5,2)", "round": True},
            [Bound("<=", "1")],
        ),
        ({"type": "number", "maximum": 1.125}, {"type": "numeric(5,2)", "round": True}, []),
        ({"enum": [0, 1]}, {"type": "numeric(1,1)"}, [OneOf(("0",))]),
        ({"type": "string", "format": "uuid", "enum": ["zzz"]}, {}, []),
        ({"type": "object", "minProperties": 1}, {}, []),
        ({"type": "string", "format": "date", "enum": ["2020-01-01"]}, {}, []),
        ({"type": "string", "contentEncoding": "base64", "maxLength": 8, "enum": ["aGk="]}, {}, []),
        ({"type": "string", "format": "time", "const": "12:00:00Z"}, {}, []),
        ({"type": "array", "items": {"type": "string", "maxLength": 3}}, {"type": "text[]"}, []),
    ],
)
def test_checks(schema, options, expected):
    assert rules(schema, **options) == expected


def test_a_key_without_max_length_is_narrowed_to_fit():
    manifest = manifest_of(
        {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "string", "format": "uuid"}},
        required=["a", "b", "c"],
        table={"key": ["a", "c"], "indexes": [{"name": "wide", "columns": ["a", "b"]}]},
    )
    assert rules_broken(manifest) == ["narrowed", "narrowed"]
    limits = lower(manifest).effective.value["allOf"][1]["properties"]
    lengths = {name: limits[name].get("maxLength") for name in "abc"}
    assert lengths == {"a": 323, "b": 323, "c": None}
    assert 4 * (lengths["a"] + lengths["b"]) <= 2600


BASE64 = {"type": "string", "contentEncoding": "base64"}
TAGS = {"type": "array", "items": {"type": "string"}}


def test_a_digest_in_a_key_is_narrowed_by_its_bytes():
    manifest = manifest_of({"a": BASE64}, required=["a"], table={"key": ["a"]})
    assert rules_broken(manifest) == ["narrowed"]
    length = lower(manifest).effective.value["allOf"][1]["properties"]["a"]["maxLength"]
    assert length == 3456
    assert length // 4 * 3 <= 2600


def test_a_bounded_digest_in_a_key_is_not_narrowed():
    manifest = manifest_of({"a": {**BASE64, "maxLength": 44}}, required=["a"], table={"key": ["a"]})
    assert rules_broken(manifest) == []


def test_items_in_a_gin_index_are_narrowed_to_fit():
    table = {
        "columns": {"a": {"type": "text[]"}},
        "indexes": [{"name": "tags", "columns": ["a"], "method": "gin"}],
    }
    manifest = manifest_of({"a": TAGS}, table=table)
    assert rules_broken(manifest) == ["narrowed"]
    assert 'An item of "a" has no maxLength' in findings(manifest)[0].message
    assert lower(manifest).effective.value["allOf"][1]["properties"]["a"]["items"]["maxLength"] == 648
    bounded = {"a": {"type": "array", "items": {"type": "string", "maxLength": 20}}}
    assert rules_broken(manifest_of(bounded, table=table)) == []
    wide = {"a": {"type": "array", "items": {"type": "string", "maxLength": 700}}}
    assert rules_broken(manifest_of(wide, table=table)) == ["index-too-wide"]


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"type": "array"}, "text[]"),
        ({"type": "array", "items": {"type": ["string", "integer"]}}, "text[]"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "text[]"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, "text[]"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "text[]"),
        ({"type": ["array", "string"], "items": {"type": "string"}}, "text[]"),
        ({"type": "array", "items": {"type": "number"}}, "text[]"),
        ({"type": "array", "items": {"type": "string"}}, "bigint[]"),
        ({"type": "string"}, "text[]"),
        (TAGS, "text"),
        ({"type": "integer"}, "bytea"),
        ({"type": "string", "contentEncoding": "base32"}, "bytea"),
        ({"type": "integer"}, "timetz"),
    ],
)
def test_a_type_that_would_not_hold_the_property_is_refused(schema, type_):
    assert rules_broken(manifest_of({"a": schema}, table={"columns": {"a": {"type": type_}}})) == [
        "column-type"
    ]


@pytest.mark.parametrize("default", ["aGk", "-_8=", "aGj=", "a b", [None], 1])
def test_a_default_that_is_no_base64_is_refused(default):
    table = {"columns": {"a": {"default": default}}}
    assert rules_broken(manifest_of({"a": BASE64}, table=table)) == ["column-default"]
