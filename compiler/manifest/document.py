"""A small JSON document beside the manifests, by a JSON Schema of its own: read, checked, and every problem placed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema_rs

from compiler.canonical import Json
from compiler.manifest.source import Source, read
from compiler.problems import Problem

_SCHEMAS = Path(__file__).parents[1] / "schema"


def read_document(path: Path, schema: str) -> tuple[Source, tuple[Problem, ...]]:
    """The file, and what is wrong with it by `compiler/schema/<schema>.schema.json`; without problems its value has that shape."""
    parsed = read(path, str(path))
    if not parsed.usable or parsed.problems:
        return parsed.source, parsed.problems
    value, validator = parsed.source.value, _validator(schema)
    if validator.is_valid(value):
        return parsed.source, ()
    from compiler.explain import explain

    found = explain(validator.iter_errors(value), _schema(schema))
    return parsed.source, tuple(map(parsed.source.problem, found))


@cache
def _schema(name: str) -> Json:
    return json.loads((_SCHEMAS / f"{name}.schema.json").read_bytes())


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema(name), validate_formats=True)
