"""One self-contained 2020-12 schema out of references, files and older drafts."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from compiler.dataset import BigInt, Double, Jsonb, Text, Uuid
from compiler.lower import lower
from compiler.record import analyse
from tests.record.conftest import findings, lowered, manifest_of, rules_broken

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def test_definitions_that_are_used_are_taken_along_and_others_are_not():
    dataset = lowered(
        {"a": {"$ref": "#/$defs/used"}},
        **{"$defs": {"used": {"type": "integer"}, "other": {"type": "string"}}},
    )
    assert dataset.record.value["$defs"] == {"used": {"type": "integer"}}
    assert dataset.columns[0].type == BigInt()


def test_files_beside_the_manifest_are_bundled(tmp_path, write):
    write(
        "shared.json",
        {"$defs": {"org": {"type": "string", "format": "uuid"}, "far": {"$ref": "deep/more.json#seen"}}},
    )
    write("deep/more.json", {"$defs": {"x": {"$anchor": "seen", "$ref": "../shared.json#/$defs/org"}}})
    dataset = lowered(
        {"a": {"$ref": "shared.json#/$defs/org"}, "b": {"$ref": "shared.json#/$defs/far"}}, tmp_path
    )
    assert [column.type for column in dataset.columns] == [Uuid(), Uuid()]
    assert set(dataset.record.value["$defs"]) == {"org", "far", "x"}
    assert "json#" not in dataset.record.text


def test_a_whole_file_is_a_definition(tmp_path, write):
    write("severity.schema.json", {"$schema": DRAFT_7, "enum": ["low", "high"]})
    dataset = lowered({"a": {"$ref": "severity.schema.json"}}, tmp_path)
    assert dataset.record.value["$defs"] == {"severity": {"enum": ["low", "high"]}}


def test_the_record_itself_may_be_a_file(tmp_path, write):
    write(
        "record.json",
        {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "integer"}}},
    )
    manifest = manifest_of({}, tmp_path)
    manifest.value["record"] = {"$ref": "record.json"}
    assert findings(manifest) == []
    assert [column.name for column in lower(manifest).columns] == ["a"]


def test_identifiers_resolve_within_the_record():
    definitions = {
        "named": {
            "$id": "https://example.com/named",
            "$defs": {"inner": {"type": "integer"}},
            "$ref": "#/$defs/inner",
        },
    }
    dataset = lowered(
        {"a": {"$ref": "https://example.com/named"}, "b": {"$ref": "https://example.com/named#/$defs/inner"}},
        **{"$defs": definitions},
    )
    assert [column.type for column in dataset.columns] == [BigInt(), BigInt()]


def test_two_definitions_of_one_name_keep_apart(tmp_path, write):
    write("one.json", {"$defs": {"id": {"type": "integer"}}})
    write("two.json", {"$defs": {"id": {"type": "string"}}})
    refs = {"a": {"$ref": "one.json#/$defs/id"}, "b": {"$ref": "two.json#/$defs/id"}}
    dataset = lowered(refs, tmp_path)
    assert [column.type for column in dataset.columns] == [BigInt(), Text()]
    swapped = lowered(dict(reversed(refs.items())), tmp_path)
    assert swapped.record_sha256 == dataset.record_sha256


def test_recursion_through_a_container_is_admitted():
    tree = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    dataset = lowered({"a": {"$ref": "#/$defs/tree"}}, **{"$defs": {"tree": tree}})
    assert dataset.columns[0].type == Jsonb()
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert validator.is_valid({"a": {"below": [{"below": []}]}})
    assert not validator.is_valid({"a": {"below": [{"below": 1}]}})


def test_a_record_may_refer_to_itself():
    dataset = lowered({"id": {"type": "integer"}, "below": {"type": "array", "items": {"$ref": "#"}}})
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert validator.is_valid({"below": [{"id": 1, "below": []}]})
    assert not validator.is_valid({"below": [{"other": 1}]})
    assert [column.name for column in dataset.columns] == ["id", "below"]


@pytest.mark.parametrize(
    "definitions",
    [
        {"a": {"$ref": "#/$defs/a"}},
        {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/a"}]}},
        {"a": {"not": {"$ref": "#/$defs/a"}}},
        {"a": {"if": {"$ref": "#/$defs/a"}}},
        {"a": {"dependentSchemas": {"x": {"$ref": "#/$defs/a"}}}},
    ],
)
def test_a_circle_of_aliases_is_refused(definitions):
    assert rules_broken(manifest_of({"x": {"$ref": "#/$defs/a"}}, **{"$defs": definitions})) == [
        "record-ref-cycle"
    ]


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (tmp_path / "secret.json").write_text('{"type": "string"}')
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    for reference in ("link.json", "../secret.json", "%2e%2e/secret.json", str(tmp_path / "secret.json")):
        assert rules_broken(manifest_of({"x": {"$ref": reference}}, folder)) == ["record-ref-outside"], (
            reference
        )


@pytest.mark.parametrize(
    "reference", ["http://example.com/x", "https://h/x#/a", "file:///etc/passwd", "//h/x", "urn:x:y"]
)
def test_other_hosts_are_refused(reference):
    assert rules_broken(manifest_of({"x": {"$ref": reference}})) == ["record-remote-ref"]


# --- draft 7 -------------------------------------------------------------------------------------------------------

DRAFT_7_SCHEMAS = [
    {"items": [{"type": "string"}, {"type": "integer"}], "additionalItems": False, "type": "array"},
    {"items": [{"type": "string"}], "additionalItems": {"type": "null"}, "type": "array"},
    {"items": {"type": "string"}, "additionalItems": False, "type": "array"},
    {"type": "object", "dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
    {"definitions": {"n": {"type": "integer"}}, "$ref": "#/properties/x/definitions/n", "type": "string"},
    {
        "if": {"type": "string"},
        "then": {"minLength": 2},
        "else": {"minimum": 3},
        "type": ["string", "integer"],
    },
    {"contains": {"const": 1}, "type": "array"},
    {"propertyNames": {"maxLength": 1}, "type": "object"},
    {"type": "object", "additionalProperties": False, "patternProperties": {"^a": {"type": "integer"}}},
    {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
    {"type": "object", "properties": {"$defs": {"type": "string"}, "dependentRequired": {"type": "string"}}},
]
VALUES = [
    *(
        None,
        True,
        0,
        1,
        3,
        2.5,
        0.3,
        "",
        "a",
        "ab",
        [],
        ["a"],
        ["a", 1],
        ["a", 1, 2],
        ["a", None],
        [1, 1],
        [["a"]],
    ),
    *(
        {},
        {"a": 1},
        {"a": 1, "b": 2},
        {"c": 1},
        {"c": 1, "d": 2},
        {"ab": 1},
        {"ab": "x"},
        {"b": 1},
        {"$defs": 1},
    ),
]


@pytest.mark.parametrize("schema", DRAFT_7_SCHEMAS, ids=json.dumps)
def test_draft_7_means_the_same_after_translation(schema):
    manifest = manifest_of({"x": schema}, **{"$schema": DRAFT_7})
    assert all(found.rule == "record-keyword" for found in findings(manifest))
    old = jsonschema_rs.Draft7Validator(manifest.value["record"], validate_formats=True)
    new = jsonschema_rs.Draft202012Validator(analyse(manifest).record.value, validate_formats=True)
    for value in VALUES:
        assert new.is_valid({"x": value}) == old.is_valid({"x": value}), value


def test_draft_7_anchors_and_inherited_dialect(tmp_path, write):
    write(
        "shared.json",
        {
            "definitions": {
                "tuple": {"$id": "#pair", "items": [{"type": "integer"}], "additionalItems": False}
            }
        },
    )
    dataset = lowered({"x": {"$ref": "shared.json#pair"}}, tmp_path, **{"$schema": DRAFT_7})
    assert dataset.record.value["$defs"] == {"tuple": {"prefixItems": [{"type": "integer"}], "items": False}}


def test_keywords_of_a_later_draft_have_no_effect_in_draft_7():
    manifest = manifest_of(
        {"x": {"type": "array", "prefixItems": [{"type": "integer"}]}}, **{"$schema": DRAFT_7}
    )
    assert rules_broken(manifest) == ["record-keyword"]
    assert "prefixItems" not in lower(manifest).record.text


def test_a_draft_7_file_in_a_2020_record(tmp_path, write):
    write("old.json", {"$schema": DRAFT_7, "items": [{"type": "integer"}], "type": "array"})
    dataset = lowered(
        {"x": {"$ref": "old.json"}, "y": {"type": "array", "prefixItems": [{"type": "integer"}]}}, tmp_path
    )
    assert dataset.record.value["$defs"]["old"]["prefixItems"] == [{"type": "integer"}]


# --- the hash ------------------------------------------------------------------------------------------------------


def test_the_hash_leaves_out_annotations_and_order():
    plain = lowered({"a": {"type": "integer"}, "b": {"enum": ["x"]}})
    told = lowered(
        {
            "b": {"enum": ["x"], "title": "B", "examples": ["x"]},
            "a": {"description": "A", "type": "integer", "default": 3},
        },
        **{"$comment": "c", "title": "t", "$schema": "https://json-schema.org/draft/2020-12/schema"},
    )
    assert told.record_sha256 == plain.record_sha256
    assert "description" in told.record.text


def test_properties_and_values_named_like_annotations_count():
    names = ["title", "description", "default", "examples", "deprecated", "readOnly"]
    hashes = {
        lowered({name: {"type": "integer"}}, table={"columns": {name: {"column": "a"}}}).record_sha256
        for name in names
    }
    hashes |= {lowered({"a": {"const": {name: 1}}}).record_sha256 for name in names}
    assert len(hashes) == 2 * len(names)


def test_a_definition_moved_to_a_file_keeps_the_hash(tmp_path, write):
    write("shared.json", {"$defs": {"level": {"enum": ["low"]}}})
    inline = lowered({"a": {"$ref": "#/$defs/level"}}, **{"$defs": {"level": {"enum": ["low"]}}})
    moved = lowered({"a": {"$ref": "shared.json#/$defs/level"}}, tmp_path)
    assert moved.record_sha256 == inline.record_sha256


def test_nothing_of_the_record_is_changed_by_reading_it():
    manifest = manifest_of(
        {"a": {"$ref": "#/$defs/x"}}, **{"$defs": {"x": {"type": "number"}}, "$schema": DRAFT_7}
    )
    before = json.dumps(manifest.value)
    assert lower(manifest).columns[0].type == Double()
    assert json.dumps(manifest.value) == before


def test_dependencies_join_what_is_there_already():
    record = {
        "dependentRequired": {"a": ["b"]},
        "dependencies": {"a": ["c", "b"], "b": {"required": ["c"]}},
        "dependentSchemas": {"b": {"minProperties": 2}},
    }
    manifest = manifest_of({name: {"type": "integer"} for name in "abc"}, **record)
    assert findings(manifest) == []
    bundled = lower(manifest).record.value
    assert bundled["dependentRequired"] == {"a": ["b", "c"]}
    assert bundled["dependentSchemas"] == {"b": {"allOf": [{"minProperties": 2}, {"required": ["c"]}]}}
    assert manifest.value["record"]["dependentRequired"] == {"a": ["b"]}


def test_a_definition_cannot_take_the_domains_name():
    dataset = lowered(
        {"a": {"$ref": "#/$defs/sluice_json"}},
        **{"$defs": {"sluice_json": {"type": "object", "maxProperties": 1}}},
    )
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert validator.is_valid({"a": {"x": 1}})
    assert not validator.is_valid({"a": {"x": 1, "y": 2}})
    assert not validator.is_valid({"a": {"x": "\0"}})


def test_a_missing_file_is_named(tmp_path: Path):
    (finding,) = findings(manifest_of({"x": {"$ref": "nowhere.json"}}, tmp_path))
    assert finding.pointer == ("record", "properties", "x", "$ref")
    assert "nowhere.json" in finding.message
