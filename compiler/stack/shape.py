"""What the stack configuration's JSON Schema says of a value, in words with a way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema
from referencing import Registry, Resource

from compiler.canonical import Json
from compiler.defaults import manifest_schema
from compiler.problems import Finding, Pointer
from compiler.suggest import fix_for, listed, quoted

SCHEMA_FILE = Path(__file__).parent.parent / "schema" / "stack.schema.json"

# Keys of the stack configuration that a later release carries out: refused by name, since to accept is to promise.
NOT_YET: Mapping[Pointer, str] = {
    ("database", "alias"): "nothing reads it in this release.",
}

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


@cache
def schema() -> Json:
    """The stack configuration's JSON Schema. Shared: do not change it."""
    return json.loads(SCHEMA_FILE.read_bytes())


@cache
def _validator() -> jsonschema.Draft202012Validator:
    """`overrides` holds fields of the manifest, as the manifest's own schema has them."""
    manifest = Resource.from_contents(manifest_schema())
    registry: Registry[Json] = Registry().with_resource(manifest_schema()["$id"], manifest)
    return jsonschema.Draft202012Validator(schema(), registry=registry)


def shape_findings(values: Mapping[str, Json]) -> Iterator[Finding]:
    """Every place where the values are not of the schema's shape, each key that is not carried out by its name."""
    for error in _validator().iter_errors(dict(values)):
        yield from _explained(_Violation.of(error))


@dataclass(frozen=True)
class _Violation:
    """One keyword of the schema that one value breaks."""

    at: Pointer
    keyword: str
    wanted: Json
    found: Json
    schema: Mapping[str, Json]

    @classmethod
    def of(cls, error: jsonschema.ValidationError) -> _Violation:
        schema_there: Json = error.schema
        return cls(
            tuple(error.absolute_path),
            str(error.validator),
            error.validator_value,
            error.instance,
            schema_there,
        )


def _explained(broken: _Violation) -> Iterator[Finding]:
    at = broken.at
    match broken.keyword:
        case "additionalProperties":
            yield from (_unexpected(at, key, broken) for key in _unknown(broken))
        case "required":
            yield from (_missing(at, key, broken) for key in broken.wanted if key not in broken.found)
        case "enum":
            yield _not_among(at, broken)
        case _:
            yield Finding(at, "stack-value", f"{_found(broken)} is not {_expected(broken)}.")


def _unknown(broken: _Violation) -> list[str]:
    known = broken.schema.get("properties", {})
    return sorted((key for key in broken.found if key not in known), key=str)


def _unexpected(at: Pointer, key: str, broken: _Violation) -> Finding:
    here = (*at, key)
    if here in NOT_YET:
        return Finding(
            here, "stack-not-yet", f"{quoted(key)} is not supported yet: {NOT_YET[here]}", "Remove it."
        )
    if ":" in str(key):
        return _foreign(here, key)
    known = broken.schema["properties"]
    message = f"no such key {quoted(str(key))}."
    return Finding(
        here,
        "stack-unknown-key",
        message,
        fix_for(str(key), known, f"Known are {listed(sorted(known), 'and')}."),
    )


def _foreign(here: Pointer, key: str) -> Finding:
    message = f"{quoted(key)} configures a default provider, and the program uses providers of its own."
    fix = (
        "Set sluice:region and sluice:database; credentials come from the environment (AWS_PROFILE, PGUSER)."
    )
    return Finding(here, "stack-foreign-key", message, fix)


def _missing(at: Pointer, key: str, broken: _Violation) -> Finding:
    about = broken.schema["properties"][key]["description"].partition(".")[0]
    name = quoted(key if at else f"sluice:{key}")
    return Finding(at, "stack-missing-key", f"{name} is missing.", f"Add it: {about[0].lower()}{about[1:]}.")


def _not_among(at: Pointer, broken: _Violation) -> Finding:
    fix = fix_for(str(broken.found), broken.wanted, f"Write {listed(broken.wanted)}.")
    return Finding(at, "stack-value", f"{_found(broken)} is not {listed(broken.wanted)}.", fix)


def _found(broken: _Violation) -> str:
    """The value as found; where a secret could stand by mistake, only that there is one."""
    if broken.schema.get("x-secret"):
        return "the value (not shown here)"
    return json.dumps(broken.found, ensure_ascii=False, default=str)


def _expected(broken: _Violation) -> str:
    if "x-expects" in broken.schema:
        return str(broken.schema["x-expects"])
    match broken.keyword:
        case "type":
            return _TYPES[str(broken.wanted)]
        case "minItems" | "minLength" | "minProperties":
            return f"complete: it needs at least {broken.wanted}"
        case "maxItems" | "maxLength":
            return f"right: it may have at most {broken.wanted}"
        case "minimum":
            return f"at least {broken.wanted}"
        case "maximum":
            return f"at most {broken.wanted}"
        case _:
            return f"what {broken.keyword} asks for: {broken.wanted}"
