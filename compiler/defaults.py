"""The manifest's defaults, read from its JSON Schema: an editor shows what the compiler applies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.canonical import Json

SCHEMA_FILE = Path(__file__).parent / "schema" / "manifest.schema.json"


@cache
def manifest_schema() -> Json:
    """The manifest's JSON Schema. Shared: do not change it."""
    return json.loads(SCHEMA_FILE.read_bytes())


def complete(manifest: Mapping[str, Json]) -> dict[str, Json]:
    """A manifest of the right shape with every default filled in, nested ones included.

    The given one is not changed; sections without defaults, such as `record`, are shared with it. What has no default
    stays absent: `uuid`, `evolve.compatible`, an index's `where`, a column's `type` or `nulls`.
    """
    return _fill(_plan(), manifest)


@cache
def default(*path: str) -> Json:
    """The default of the field at that path: `default("sink", "linger_ms")`. Raises KeyError where it has none."""
    schema = manifest_schema()
    for name in path:
        schema = resolve(schema)["properties"][name]
    return schema["default"]


def resolve(schema: Json) -> Json:
    """The schema with its `$ref` followed; keywords beside the `$ref` win."""
    if "$ref" not in schema:
        return schema
    target = manifest_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return {**resolve(target), **{key: value for key, value in schema.items() if key != "$ref"}}


@dataclass(frozen=True)
class _Node:
    """What to fill in below a value: defaults by field, and where to go on; walked once, as the schema is large."""

    defaults: tuple[tuple[str, Json], ...]
    below: Mapping[str, _Node]
    others: _Node | None


@cache
def _plan() -> _Node:
    node = _node(manifest_schema())
    assert node is not None, "the manifest's schema has defaults"
    return node


def _node(schema: Json) -> _Node | None:
    """None where nothing below has a default."""
    schema = _object_branch(resolve(schema))
    properties = {name: resolve(below) for name, below in schema.get("properties", {}).items()}
    defaults = tuple((name, below["default"]) for name, below in properties.items() if "default" in below)
    below = {name: node for name, found in properties.items() if (node := _node(found))}
    others = schema.get("additionalProperties") or schema.get("items")
    node = _Node(defaults, below, _node(others) if isinstance(others, dict) else None)
    return node if node.defaults or node.below or node.others else None


def _fill(node: _Node, value: Mapping[str, Json]) -> dict[str, Json]:
    filled = dict(value)
    for name, given in node.defaults:
        if name not in filled:
            filled[name] = given.copy() if isinstance(given, dict | list) else given
    for name, item in filled.items():
        following = node.below.get(name, node.others)
        if following and isinstance(item, dict):
            filled[name] = _fill(following, item)
        elif following and isinstance(item, list):
            filled[name] = _fill_items(following, item)
    return filled


def _fill_items(node: _Node, items: list[Json]) -> list[Json]:
    """`node` is that of the list; its items' is in `others`."""
    following = node.others
    return [_fill(following, item) if following and isinstance(item, dict) else item for item in items]


def _object_branch(schema: Json) -> Json:
    """The alternative of an `anyOf` that an object takes."""
    branches = [branch for branch in map(resolve, schema.get("anyOf", ())) if branch.get("type") == "object"]
    return branches[0] if branches else schema
