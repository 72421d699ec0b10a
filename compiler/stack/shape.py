"""What the stack configuration's JSON Schema says of a value, in words with a way out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema
from referencing import Registry, Resource

from compiler.canonical import Json
from compiler.defaults import manifest_schema
from compiler.problems import Finding, Pointer
from compiler.suggest import counted, did_you_mean, fix_for, listed, quoted

SCHEMA_FILE = Path(__file__).parent.parent / "schema" / "stack.schema.json"

# Keys of the stack configuration that a later release carries out: refused by name, since to accept is to promise.
NOT_YET: Mapping[Pointer, str] = {
    ("database", "alias"): "nothing reads it in this release.",
}

# What holds a password where somebody put a connection string: a URL with a user, or libpq's own form.
_CREDENTIALS = re.compile(r"://[^\s\"]*@|passw(or)?d\s*=", re.IGNORECASE)

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
    validator: jsonschema.Draft202012Validator = _Validator(schema(), registry=registry)
    return validator


def _pattern(_: object, pattern: str, value: Json, __: object) -> Iterator[jsonschema.ValidationError]:
    """As JSON Schema has it, where `$` is the end: in Python it also stands before a line end."""
    if isinstance(value, str) and (value.endswith("\n") or not re.search(pattern, value)):
        yield jsonschema.ValidationError(f"does not match {pattern}")


_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)


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
    if _CREDENTIALS.search(str(key)):
        return Finding(
            at, "stack-unknown-key", f"no such key: {_kind(str(key))} (not shown here).", "Remove it."
        )
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
    namespace, _, name = key.partition(":")
    if did_you_mean(namespace, ["sluice"]):
        return Finding(
            here,
            "stack-unknown-key",
            f"no such key {quoted(key)}.",
            f"Did you mean {quoted(f'sluice:{name}')}?",
        )
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
    """The value as found; where a secret could stand by mistake, only what kind of value there is."""
    if broken.schema.get("x-secret"):
        return "the value (not shown here)"
    text = json.dumps(broken.found, ensure_ascii=False, default=str)
    misplaced = broken.at[:1] == ("database",) and not _is_plain(broken)
    return f"{_kind(broken.found)} (not shown here)" if misplaced or _CREDENTIALS.search(text) else text


def _is_plain(broken: _Violation) -> bool:
    """Of the database only numbers out of their range and words out of a list are shown."""
    match broken.keyword:
        case "minimum" | "maximum":
            return True
        case "enum":
            return isinstance(broken.found, str)
        case _:
            return False


def _kind(value: Json) -> str:
    match value:
        case str():
            return f"a text of {counted(len(value), 'character')}"
        case list():
            return f"a list of {counted(len(value), 'item')}"
        case dict():
            return "a mapping"
        case bool():
            return "true or false"
        case None:
            return "nothing"
        case _:
            return "a number"


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
        case "uniqueItems":
            return "a list in which each item stands once"
        case "minimum":
            return f"at least {broken.wanted}"
        case "maximum":
            return f"at most {broken.wanted}"
        case _:
            return f"what {broken.keyword} asks for: {broken.wanted}"
