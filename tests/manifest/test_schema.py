from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from compiler.defaults import complete, default, manifest_schema, resolve
from compiler.manifest import load
from compiler.manifest.left_out import LEFT_OUT, LeftOut
from compiler.manifest.shape import shape_findings

DATASETS = sorted(Path("datasets").glob("*/dataset.json"))
SMALLEST: dict[str, Any] = {
    "name": "orders",
    "version": 1,
    "owner": "shop",
    "record": {"type": "object"},
    "table": {"key": ["id"]},
}


def fields(schema: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Every named field of the manifest with its subschema, `$ref` followed."""
    schema = resolve(schema)
    for name, below in schema.get("properties", {}).items():
        yield f"{path}.{name}", resolve(below)
        yield from fields(below, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from fields(schema[keyword], f"{path}[]")
    for branch in schema.get("anyOf", ()):
        yield from fields(branch, path)


def test_the_schema_is_valid() -> None:
    jsonschema_rs.meta.validate(manifest_schema())
    assert manifest_schema()["$id"]


def test_every_field_explains_itself() -> None:
    assert [
        path for path, schema in fields(manifest_schema()) if len(schema.get("description", "")) < 10
    ] == []


def test_every_default_and_example_is_what_its_field_takes() -> None:
    for path, schema in fields(manifest_schema()):
        validator = jsonschema_rs.Draft202012Validator({**schema, "$defs": manifest_schema()["$defs"]})
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            assert validator.is_valid(value) or path.endswith(".include"), (path, value)


def test_the_smallest_manifest_is_completed_with_every_default() -> None:
    assert shape_findings(SMALLEST) == ()
    assert complete(SMALLEST) == {
        **SMALLEST,
        "classification": "internal",
        "description": "",
        "table": {
            "key": ["id"],
            "schema": "datasets",
            "on_conflict": "ignore",
            "indexes": [],
            "unmanaged": [],
            "checks": {},
            "columns": {},
        },
        "producers": [],
        "readers": [],
        "buffer": {
            "format": "envelope",
            "max_receive_count": 10,
            "retention_days": 4,
            "visibility_timeout_seconds": 120,
        },
        "sink": {
            "batch_records": 2000,
            "linger_ms": 200,
            "min_tasks": 1,
            "max_tasks": 4,
            "latency_target_seconds": 60,
        },
        "alarms": {
            "oldest_age_seconds": 300,
            "in_flight": False,
            "tasks_below_minimum": False,
            "publish_failures": False,
        },
        "events": {"publish": True},
        "evolve": {},
    }


def test_completing_changes_neither_its_input_nor_what_is_given() -> None:
    before = json.dumps(SMALLEST)
    manifest = {**SMALLEST, "sink": {"linger_ms": 0}, "events": {"publish": False}}
    manifest["table"] = {"key": ["id"], "indexes": [{"name": "a", "columns": [{"column": "b"}, "c"]}]}
    done = complete(manifest)
    assert done["sink"]["linger_ms"] == 0
    assert done["events"] == {"publish": False}
    assert done["table"]["indexes"] == [
        {"name": "a", "columns": [{"column": "b", "order": "asc"}, "c"], "method": "btree", "include": []}
    ]
    assert json.dumps(SMALLEST) == before


def test_what_is_done_to_a_completed_manifest_stays_with_it() -> None:
    done = complete(SMALLEST)
    done["producers"].append("monitor")
    done["sink"]["linger_ms"] = 1
    done["table"]["checks"]["positive"] = "a > 0"
    assert complete(SMALLEST)["producers"] == []
    assert complete(SMALLEST)["sink"]["linger_ms"] == 200
    assert complete(SMALLEST)["table"]["checks"] == {}


def test_a_default_is_read_by_its_path() -> None:
    assert default("buffer", "retention_days") == 4
    with pytest.raises(KeyError):
        default("table", "key")


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: path.parent.name)
def test_a_dataset_names_the_schema_that_its_editor_shall_use(path: Path) -> None:
    loaded = load(path)
    assert loaded.manifest
    assert (path.parent / loaded.manifest.value["$schema"]).resolve() == Path(
        "compiler/schema/manifest.schema.json"
    ).resolve()


def with_field(entry: LeftOut, step: str, value: Any) -> dict[str, Any]:
    """The smallest manifest with `value` at the entry's path; ANY becomes an index or a column."""
    manifest: dict[str, Any] = json.loads(json.dumps(SMALLEST))
    node: Any = manifest
    *steps, _ = entry.path
    for position, found in enumerate(steps):
        if found == "indexes":
            node[found] = [{"name": "a", "columns": ["id"]}]
            node = node[found]
        elif found is None:
            node = node[0] if isinstance(node, list) else node.setdefault("id", {})
        else:
            name = found.split("|")[0]
            node = node.setdefault(name, {}) if position < len(steps) else node
    node[step] = value
    return manifest


FIELDS = [
    (entry, step) for entry in LEFT_OUT if not entry.values for step in (entry.path[-1] or "any").split("|")
]


@pytest.mark.parametrize(("entry", "step"), FIELDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_field_that_is_left_out_is_refused_with_its_reason(entry: LeftOut, step: str) -> None:
    findings = shape_findings(with_field(entry, step, value=True))
    assert [(found.message, found.rule) for found in findings] == [(entry.reason, entry.rule)]


@pytest.mark.parametrize(
    ("type_", "advice"),
    [
        ("bytea[]", "Arrays are flat"),
        *((name, "A time of day is stored with the offset") for name in ("time", "TIME", "time(3)", "time with time zone")),
        *((name, "Arrays are flat") for name in ("text[][]", "BIGINT[]", "numeric(3,1)[]", "jsonb[]", "time[]")),
        *((name, "Lengths are CHECKs") for name in ("varchar(20)", "char", "character varying(20)", "CHAR(1)")),
        *((name, "Whole numbers are stored as bigint") for name in ("int", "int4", "smallint", "bigserial", "Integer")),
        *((name, "Numbers are stored in double") for name in ("real", "float8", "double", "decimal(12,4)", "money")),
        *((name, "Only timestamps with time zone") for name in ("timestamp", "timestamp without time zone", "datetime")),
        ("json", "json keeps text"),
    ],
)  # fmt: skip
def test_a_type_that_is_not_offered_is_refused_with_advice(type_: str, advice: str) -> None:
    entry = next(entry for entry in LEFT_OUT if entry.reason.startswith(advice))
    findings = shape_findings(with_field(entry, "type", type_))
    assert [(found.message, found.rule) for found in findings] == [(entry.reason, entry.rule)]


@pytest.mark.parametrize(
    "type_",
    [
        "bigint",
        "numeric",
        "numeric(12,4)",
        "numeric(12, 4)",
        "text",
        "double precision",
        "bytea",
        "timetz",
        "text[]",
        "numeric[]",
    ],
)
def test_a_type_that_is_offered_passes(type_: str) -> None:
    entry = next(entry for entry in LEFT_OUT if entry.reason.startswith("Arrays"))
    assert shape_findings(with_field(entry, "type", type_)) == ()
