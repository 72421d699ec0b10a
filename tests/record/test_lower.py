"""Any manifest that passes the rules lowers, to a dataset that lacks nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.dataset import (
    Ignore,
    IndexColumn,
    MessageKey,
    Nulls,
    Order,
    UpdateIfNewer,
)
from compiler.defaults import manifest_schema
from compiler.lower import lower
from compiler.manifest import RawManifest
from compiler.operation import Alarms, Buffer, BufferFormat, Sink
from compiler.problems import Severity
from compiler.table import table_of
from tests.record.conftest import findings, lowered
from tests.record.strategies import HOSTILE_NAMES, dataset_of, manifests, property_schemas


@given(manifests())
@settings(max_examples=100)
def test_an_accepted_manifest_lowers(manifest):
    shape = jsonschema_rs.Draft202012Validator(manifest_schema(), validate_formats=True)
    assert shape.is_valid(manifest)
    dataset = dataset_of(manifest)
    assert dataset == dataset_of(manifest)
    jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    assert table_of(dataset).fingerprint.startswith("sha256:")
    assert len({column.name for column in dataset.columns}) == len(dataset.columns)


_words = st.sampled_from(
    ["type", "properties", "$ref", "allOf", "anyOf", "items", "enum", "const", "required", "$defs", "format"]
)
_junk: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["string", "object", "#", "#/$defs/a", "a", "date", "^("]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=10,
)


@given(
    st.dictionaries(
        _words | st.sampled_from(["additionalProperties", "$schema", "$id"]), _junk, min_size=1, max_size=6
    )
)
def test_any_json_is_judged_and_never_breaks_the_compiler(record):
    value = {"name": "a", "version": 1, "owner": "t", "record": record, "table": {"key": "$message"}}
    manifest = RawManifest(value, Path())
    if not any(found.severity is Severity.ERROR for found in findings(manifest)):
        lower(manifest)


@given(
    st.dictionaries(
        st.sampled_from(HOSTILE_NAMES), property_schemas().map(lambda pair: pair[0]), min_size=1, max_size=4
    )
)
def test_any_property_is_a_column_or_a_finding(properties):
    record = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {"tree": {"type": "object"}},
    }
    value = {
        "name": "a",
        "version": 1,
        "owner": "t",
        "record": json.loads(json.dumps(record)),
        "table": {"key": "$message"},
    }
    manifest = RawManifest(value, Path())
    if not any(found.severity is Severity.ERROR for found in findings(manifest)):
        assert len(lower(manifest).columns) == len(properties)


def test_every_default_is_there():
    dataset = lowered({"a": {"type": "integer"}})
    assert (dataset.key, dataset.on_conflict) == (MessageKey(), Ignore())
    assert dataset.schema == "datasets"
    assert dataset.buffer == Buffer(BufferFormat.ENVELOPE, 10, 4, 120)
    assert dataset.sink == Sink(2000, 200, 1, 4, 60)
    assert dataset.alarms == Alarms(300)
    assert dataset.publish_events
    assert dataset.uuid.version == 5


def test_indexes_and_modes():
    dataset = lowered(
        {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}},
        required=["id", "at"],
        table={
            "key": ["id"],
            "on_conflict": {"update_if_newer": "at"},
            "indexes": [
                {"name": "recent", "columns": ["id", {"column": "at", "order": "desc"}], "where": "id>3"}
            ],
        },
    )
    assert dataset.on_conflict == UpdateIfNewer("at")
    assert dataset.indexes[0].columns == (IndexColumn("id"), IndexColumn("at", Order.DESC, Nulls.FIRST))
    assert dataset.indexes[0].where is not None
    assert dataset.indexes[0].where.sql == "id > 3"
