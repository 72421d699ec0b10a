"""Is the record valid JSON Schema at all, and can everything that it asks for be checked?

jsonschema-rs decides; where something is wrong, the meta-schema's own errors are put into words by jsonschema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import jsonschema_rs

from compiler.canonical import Json
from compiler.problems import Finding
from compiler.record.dialects import Dialect
from compiler.record.places import Place
from compiler.suggest import fix_for, quoted

# What jsonschema-rs asserts in 2020-12; any other format passes everything.
KNOWN_FORMATS = frozenset(
    (
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname"),
        *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template"),
        *("json-pointer", "relative-json-pointer", "regex"),
    )
)


def schema_faults(value: Json, place: Place, dialect: Dialect) -> tuple[Finding, ...]:
    """Where the schema breaks its draft's meta-schema; empty where it is valid."""
    if isinstance(value, dict):
        value = {**value, "$schema": dialect.uri}
    if jsonschema_rs.meta.is_valid(value):
        return ()
    return tuple(_explained(value, place, dialect))


def _explained(value: Json, whole: Place, dialect: Dialect) -> Iterator[Finding]:
    from jsonschema.validators import validator_for

    validator = validator_for({"$schema": dialect.uri})
    found = 0
    for error in validator(validator.META_SCHEMA, format_checker=validator.FORMAT_CHECKER).iter_errors(value):
        for leaf in _leaves(error):
            found += 1
            place = whole.below(*leaf.absolute_path)
            yield place.error(
                "record-schema",
                f"The record is no valid JSON Schema ({dialect.name}): {_text(leaf)}.",
                _fix(leaf),
            )
    if not found:  # jsonschema-rs is stricter in places
        try:
            jsonschema_rs.meta.validate(value)
        except jsonschema_rs.ValidationError as error:
            place = whole.below(*error.instance_path)
            yield place.error("record-schema", f"The record is no valid JSON Schema: {error.message}.")


def _leaves(error: Json) -> Iterator[Json]:
    """The errors that say something: `anyOf` over types is one statement, `allOf` and `$ref` are passed through."""
    if error.validator in {"allOf", "$ref", "$dynamicRef"} and error.context:
        for below in error.context:
            yield from _leaves(below)
    else:
        yield error


def _text(error: Json) -> str:
    name = error.absolute_path[-1] if error.absolute_path else "the record"
    if name == "type" or (error.validator == "anyOf" and "type" in error.absolute_path):
        return f"{quoted(str(error.instance))} is no JSON type"
    return f"{quoted(str(name))}: {error.message}"


def _fix(error: Json) -> str | None:
    types = ("null", "boolean", "object", "array", "number", "integer", "string")
    if "type" in error.absolute_path and isinstance(error.instance, str):
        return fix_for(error.instance, types, f"Types are {', '.join(types)}.")
    return None


def unchecked(assertions: Iterable[tuple[str, str, Place]]) -> Iterator[Finding]:
    """Patterns that are no regular expressions, and formats that nothing checks: (keyword, text, place) of each."""
    for keyword, text, place in assertions:
        if keyword == "pattern" and not compiles(text):
            message = f"{quoted(text)} is no regular expression that the sink can check."
            yield place.error("record-pattern", message, "Write it as an ECMA-262 regular expression.")
        if keyword == "format" and text not in KNOWN_FORMATS:
            yield place.warning(
                "record-format",
                f"The format {quoted(text)} is not checked by anything.",
                fix_for(text, KNOWN_FORMATS, 'Say it with "pattern" or bounds as well, or remove it.'),
            )


@lru_cache(maxsize=4096)
def compiles(pattern: str) -> bool:
    """Can jsonschema-rs compile the pattern?"""
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True
