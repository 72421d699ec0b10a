"""Records in older drafts: the 2020-12 schema that they become says the same of every value.

jsonschema-rs' own validator of the old draft is the judge. Two things are documented to differ and are left out here:
in draft 4 itself `1.0` is no integer, and a draft knows no format that came later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from compiler.dataset import BigInt, Text
from compiler.lower import lower
from compiler.problems import Severity
from compiler.record.bundle import Bundle, bundle
from compiler.record.dialects import (
    DIALECT_4,
    DIALECT_6,
    DIALECT_7,
    DIALECT_2019_09,
    DIALECT_2020_12,
    DIALECTS,
    Dialect,
    dialect_named,
)
from compiler.record.documents import Document, Documents
from compiler.record.validity import schema_faults
from tests.record.conftest import findings, lowered, manifest_of, rules_broken

OLDER = [DIALECT_4, DIALECT_6, DIALECT_7, DIALECT_2019_09]
JUDGES = {
    DIALECT_4: jsonschema_rs.Draft4Validator,
    DIALECT_6: jsonschema_rs.Draft6Validator,
    DIALECT_7: jsonschema_rs.Draft7Validator,
    DIALECT_2019_09: jsonschema_rs.Draft201909Validator,
}
each_older_draft = pytest.mark.parametrize("dialect", OLDER, ids=lambda dialect: dialect.name)


def bundled(record: dict[str, Any], dialect: Dialect) -> Bundle:
    return bundle(Documents(Path(), Document(record, dialect, prefix=("record",))))


def refused(found: Bundle) -> list[str]:
    return [finding.message for finding in found.findings if finding.severity is Severity.ERROR]


def translated(record: dict[str, Any], dialect: Dialect) -> jsonschema_rs.Draft202012Validator:
    found = bundled(record, dialect)
    assert refused(found) == []
    return jsonschema_rs.Draft202012Validator(found.document, validate_formats=True)


# --- any schema ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["x", "a", "b", "id", "items", "$ref"])
NUMBERS = st.sampled_from([-1, 0, 1, 2, 2.5, 3])
SIZES = st.integers(0, 3)
TYPES = st.sampled_from(["null", "boolean", "object", "array", "number", "integer", "string"])
SCALARS = (
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "2020-01-01T00:00:00Z", "a@b.de"])
)


def values(dialect: Dialect) -> st.SearchStrategy[Any]:
    plain = SCALARS if dialect is DIALECT_4 else SCALARS | st.just(1.0)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    )


@st.composite
def schemas(draw: Any, dialect: Dialect, depth: int = 2, *, deeper: bool = False) -> Any:
    """A schema of the draft. `deeper`: it stands below a container, so it may refer to the whole record."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(leaves(dialect, deeper=deeper))
    chosen = draw(st.lists(st.sampled_from(sorted(_EVERY)), min_size=1, max_size=4, unique=True))
    schema: dict[str, Any] = {}
    for keyword in chosen:
        schema |= draw(_EVERY[keyword](dialect, depth - 1))
    if draw(st.integers(0, 4)) == 0:
        schema |= draw(leaves(dialect, deeper=deeper).filter(lambda leaf: isinstance(leaf, dict)))
    return schema


def leaves(dialect: Dialect, *, deeper: bool) -> st.SearchStrategy[Any]:
    choices: list[Any] = [{}, {"$ref": "#/definitions/n"}, {"$ref": "#named"}, {"type": "integer"}]
    choices += [] if dialect is DIALECT_4 else [True, False]
    choices += [{"$ref": "#"}] if deeper else []
    choices += [{"$recursiveRef": "#"}] if deeper and dialect is DIALECT_2019_09 else []
    return st.sampled_from(choices)


def _value(keyword: str, strategy: st.SearchStrategy[Any]) -> Any:
    return lambda _dialect, _depth: st.fixed_dictionaries({keyword: strategy})


def _below(keyword: str, shape: Any, *, deeper: bool = False) -> Any:
    return lambda dialect, depth: st.fixed_dictionaries(
        {keyword: shape(schemas(dialect, depth, deeper=deeper))}
    )


def _bounds(dialect: Dialect, _depth: int) -> st.SearchStrategy[Any]:
    if dialect is not DIALECT_4:
        names = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        return st.dictionaries(st.sampled_from(names), NUMBERS, max_size=2)
    lower_bound = st.fixed_dictionaries({"minimum": NUMBERS}, optional={"exclusiveMinimum": st.booleans()})
    upper_bound = st.fixed_dictionaries({"maximum": NUMBERS}, optional={"exclusiveMaximum": st.booleans()})
    return lower_bound | upper_bound


def _tuple(dialect: Dialect, depth: int) -> st.SearchStrategy[Any]:
    below = schemas(dialect, depth, deeper=True)
    rest = below | st.booleans()
    return st.fixed_dictionaries(
        {"items": below | st.lists(below, min_size=1, max_size=2)}, optional={"additionalItems": rest}
    )


def _list(below: Any) -> Any:
    return st.lists(below, min_size=1, max_size=2)


def _map(below: Any) -> Any:
    return st.dictionaries(NAMES, below, max_size=2)


def _one(below: Any) -> Any:
    return below


_names = st.lists(NAMES, min_size=1, max_size=2, unique=True)
_EVERY = {
    "type": _value("type", TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    "enum": _value("enum", st.lists(SCALARS, min_size=1, max_size=3, unique_by=repr)),
    "format": _value("format", st.sampled_from(["date-time", "email", "ipv4"])),
    "pattern": _value("pattern", st.sampled_from(["^a", "b$"])),
    "minLength": _value("minLength", SIZES),
    "maxItems": _value("maxItems", SIZES),
    "uniqueItems": _value("uniqueItems", st.booleans()),
    "minProperties": _value("minProperties", SIZES),
    "required": _value("required", _names),
    "multipleOf": _value("multipleOf", st.sampled_from([1, 2, 0.5])),
    "bounds": _bounds,
    "items": _tuple,
    "properties": _below("properties", _map, deeper=True),
    "patternProperties": _below("patternProperties", lambda below: st.fixed_dictionaries({"^a": below})),
    "additionalProperties": _below("additionalProperties", lambda below: below | st.booleans(), deeper=True),
    "dependencies": _below("dependencies", lambda below: st.dictionaries(NAMES, below | _names, max_size=2)),
    "allOf": _below("allOf", _list),
    "anyOf": _below("anyOf", _list),
    "oneOf": _below("oneOf", _list),
    "not": _below("not", _one),
    # Names of no keyword in some of the drafts, which then have no effect.
    "const": _value("const", SCALARS),
    "contains": _below("contains", _one, deeper=True),
    "propertyNames": _below("propertyNames", _one),
    "if": _below("if", _one),
    "then": _below("then", _one),
    "else": _below("else", _one),
    "prefixItems": _below("prefixItems", _list),
    "minContains": _value("minContains", SIZES),
    "dependentRequired": _value("dependentRequired", st.dictionaries(NAMES, _names, max_size=2)),
    "dependentSchemas": _below("dependentSchemas", _map),
    "unevaluatedItems": _below("unevaluatedItems", _one, deeper=True),
    "unevaluatedProperties": _below("unevaluatedProperties", _one, deeper=True),
}


@st.composite
def records(draw: Any, dialect: Dialect) -> dict[str, Any]:
    named = {"$anchor": "named"} if dialect is DIALECT_2019_09 else {dialect.identifier: "#named"}
    plain = schemas(dialect, 1).filter(lambda schema: isinstance(schema, dict) and "$ref" not in str(schema))
    record = {
        "type": "object",
        "properties": {"x": draw(schemas(dialect, 3, deeper=True))},
        "additionalProperties": draw(st.booleans()),
        "definitions": {"n": draw(plain), "m": {**draw(plain), **named}},
    }
    if dialect is DIALECT_2019_09 and draw(st.booleans()):
        record["$recursiveAnchor"] = True
    return record


@st.composite
def constructs(draw: Any, dialect: Dialect) -> dict[str, Any]:
    """One construct that is written otherwise in 2020-12, beside other keywords or below them."""
    kinds = ["bounds", "items", "dependencies", "reference"]
    kind = draw(st.sampled_from([*kinds, *(["recursive"] if dialect is DIALECT_2019_09 else [])]))
    match kind:
        case "reference":
            found = {"$ref": draw(st.sampled_from(["#/definitions/n", "#named"])), "type": draw(TYPES)}
        case "recursive":
            inner = {"$recursiveRef": "#", **draw(st.sampled_from([{}, {"$ref": "#/definitions/n"}]))}
            found = draw(
                st.sampled_from(
                    [{"items": inner}, {"additionalProperties": inner}, {"properties": {"a": inner}}]
                )
            )
        case _:
            found = draw(_EVERY[kind](dialect, 0))
    return draw(st.sampled_from([found, {"allOf": [found]}, {"items": found}, {"not": found}]))


@st.composite
def simple_records(draw: Any, dialect: Dialect) -> dict[str, Any]:
    named = {"$anchor": "named"} if dialect is DIALECT_2019_09 else {dialect.identifier: "#named"}
    return {
        "type": "object",
        "properties": {"x": draw(constructs(dialect))},
        "additionalProperties": draw(st.sampled_from([False, {"type": "integer"}])),
        "definitions": {"n": {"type": draw(TYPES)}, "m": {"enum": [draw(SCALARS)], **named}},
    }


def agree(record: dict[str, Any], dialect: Dialect, tried: list[Any]) -> None:
    """The old draft's validator and the translated schema say the same of each value."""
    old = JUDGES[dialect](record, validate_formats=True)
    new = translated(record, dialect)
    for value in tried:
        for instance in (value, {"x": value}, {"x": [value]}, {"x": {"x": value}}):
            assert new.is_valid(instance) == old.is_valid(instance), instance


@each_older_draft
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_schema_means_the_same_after_translation(dialect, data):
    record = data.draw(records(dialect))
    assume(not schema_faults(record, Document(record, dialect).place(()), dialect))
    assume(not refused(bundled(record, dialect)))
    agree(record, dialect, data.draw(st.lists(values(dialect), min_size=1, max_size=6)))


# Drawing seldom meets a bound exactly, or a list as long as a tuple.
TRIED = [
    *(None, True, -1, 0, 1, 2, 2.5, 3, "", "a", "ab", [], [1], ["a"], [1, "a"], ["a", 1], ["a", "a", "a"]),
    *({}, {"a": 1}, {"b": "a"}, {"a": 1, "b": 2}, {"x": 1, "a": "b"}, {"id": 1, "items": None}),
    *({"a": {"x": "a"}}, [{"x": "a"}], [["a"]], {"a": []}),
]


@each_older_draft
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_each_construct_means_the_same_after_translation(dialect, data):
    agree(data.draw(simple_records(dialect)), dialect, TRIED)


# --- what stands where --------------------------------------------------------------------------------------------


@each_older_draft
def test_the_dialect_is_found_by_its_name(dialect):
    bare = dialect.uri.removesuffix("#").partition("://")[2]
    for uri in (f"http://{bare}", f"https://{bare}#"):
        assert dialect_named(uri) is dialect
    assert all(isinstance(known.uri, str) for known in DIALECTS)


def test_draft_4_says_exclusive_with_a_boolean():
    amount = {
        "type": "integer",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 9,
        "exclusiveMaximum": False,
    }
    dataset = lowered({"a": amount}, **{"$schema": DIALECT_4.uri})
    assert dataset.record.value["properties"]["a"] == {"type": "integer", "exclusiveMinimum": 0, "maximum": 9}


def test_a_whole_number_with_a_point_is_an_integer_in_every_draft():
    for dialect in DIALECTS:
        validator = translated({"type": "integer"}, dialect)
        assert validator.is_valid(1.0)
        assert not validator.is_valid(1.5)


def test_draft_4_names_schemas_by_id_and_properties_too():
    record = {
        "id": {"$ref": "#org"},
        "key": {"$ref": "https://example.com/base#"},
    }
    definitions = {
        "org": {"id": "#org", "type": "integer"},
        "base": {"id": "https://example.com/base", "type": "string"},
    }
    dataset = lowered(record, definitions=definitions, **{"$schema": DIALECT_4.uri})
    assert [column.type for column in dataset.columns] == [BigInt(), Text()]
    assert "example.com" not in dataset.record.text


@pytest.mark.parametrize(
    ("dialect", "keyword", "value"),
    [
        (DIALECT_4, "const", 1),
        (DIALECT_4, "contains", {"type": "string"}),
        (DIALECT_4, "$id", "https://example.com/x"),
        (DIALECT_6, "if", {"type": "string"}),
        (DIALECT_6, "contentEncoding", "base64"),
        (DIALECT_7, "minContains", 1),
        (DIALECT_2019_09, "prefixItems", [{"type": "string"}]),
    ],
)
def test_a_keyword_of_a_later_draft_has_no_effect(dialect, keyword, value):
    manifest = manifest_of({"x": {"type": "integer", keyword: value}}, **{"$schema": dialect.uri})
    (finding,) = findings(manifest)
    assert (finding.rule, finding.severity) == ("record-keyword", Severity.WARNING)
    assert keyword not in json.dumps(lower(manifest).record.value)


@pytest.mark.parametrize("dialect", [DIALECT_4, DIALECT_6, DIALECT_7])
def test_keywords_beside_a_reference_are_ignored_before_2019_09(dialect):
    record = {"x": {"$ref": "#/definitions/n", "maxLength": 1}}
    manifest = manifest_of(record, definitions={"n": {"type": "string"}}, **{"$schema": dialect.uri})
    (finding,) = findings(manifest)
    assert finding.message == f'{dialect.name.capitalize()} ignores "maxLength" beside $ref.'
    assert lower(manifest).record.value["properties"]["x"] == {"$ref": "#/$defs/n"}


def test_a_file_may_be_in_another_draft(tmp_path, write):
    limit = {"minimum": 1, "exclusiveMinimum": True, "type": "integer"}
    write("old.json", {"$schema": DIALECT_4.uri, "definitions": {"limit": limit}})
    dataset = lowered({"x": {"$ref": "old.json#/definitions/limit"}}, tmp_path)
    assert dataset.record.value["$defs"] == {"limit": {"type": "integer", "exclusiveMinimum": 1}}


# --- 2019-09's recursion -------------------------------------------------------------------------------------------

TREE = {"type": "object", "properties": {"below": {"type": "array", "items": {"$recursiveRef": "#"}}}}


@pytest.mark.parametrize("anchor", [{}, {"$recursiveAnchor": True}, {"$recursiveAnchor": False}])
def test_recursion_within_one_schema_is_a_reference(anchor):
    properties = {"id": {"type": "integer"}, "below": {"type": "array", "items": {"$recursiveRef": "#"}}}
    dataset = lowered(properties, **{"$schema": DIALECT_2019_09.uri, **anchor})
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert validator.is_valid({"id": 1, "below": [{"below": []}]})
    assert not validator.is_valid({"below": [{"other": 1}]})


def test_recursion_into_another_file_without_anchors_is_a_reference(tmp_path, write):
    write("tree.json", {"$schema": DIALECT_2019_09.uri, **TREE})
    dataset = lowered({"x": {"$ref": "tree.json"}}, tmp_path)
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert validator.is_valid({"x": {"below": [{"below": []}]}})
    assert not validator.is_valid({"x": {"below": [1]}})


def test_recursion_that_the_path_decides_is_refused(tmp_path, write):
    anchored = {"$schema": DIALECT_2019_09.uri, "$recursiveAnchor": True}
    write("tree.json", {**anchored, **TREE})
    manifest = manifest_of({"x": {"$ref": "tree.json"}}, tmp_path, **anchored)
    (finding,) = set(findings(manifest))
    assert finding.pointer[-1] == "$recursiveRef"
    assert "path of evaluation" in finding.message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"items": {"$recursiveRef": "#/properties/x"}}, "nowhere else"),
        ({"$recursiveAnchor": True, "type": "string"}, "root of a schema"),
        ({"contains": {"type": "string"}, "unevaluatedItems": False}, "does not count"),
    ],
)
def test_what_2019_09_alone_means_is_refused_by_name(schema, words):
    (finding,) = set(findings(manifest_of({"x": schema}, **{"$schema": DIALECT_2019_09.uri})))
    assert finding.rule == "record-keyword"
    assert words in finding.message


def test_recursion_outside_2019_09_is_refused():
    assert set(rules_broken(manifest_of({"x": {"items": {"$recursiveRef": "#"}}}))) == {"record-keyword"}
    assert DIALECT_2020_12.keywords.get("$recursiveRef") is None


@pytest.mark.parametrize(
    ("draft", "schema", "message"),
    [
        (DIALECT_4, {"properties": {"type": True}}, '"type" is true and must be an object.'),
        (DIALECT_4, {"type": "strng"}, '"strng" is no JSON type.'),
        (DIALECT_4, {"dependencies": {"a": []}}, '"a" is empty.'),
        (DIALECT_4, {"exclusiveMaximum": True}, '"exclusiveMaximum" needs "maximum" beside it.'),
        (DIALECT_7, {"exclusiveMaximum": True}, '"exclusiveMaximum" is true and must be a number.'),
    ],
)
def test_what_breaks_a_meta_schema_is_said_in_plain_words(draft, schema, message):
    (fault,) = schema_faults(schema, Document(schema, draft).place(()), draft)
    assert fault.message.endswith(f": {message}")
    assert fault.fix
