"""Is the record valid JSON Schema at all, and can everything that it asks for be checked?

jsonschema-rs decides; where something is wrong, the meta-schema's own errors are put into words by jsonschema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

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
    """The errors that say something: of alternatives the one that the value was meant for; `allOf`, `$ref` are passed through.

    `anyOf` over types is one statement.
    """
    if error.validator in {"allOf", "$ref", "$dynamicRef"} and error.context:
        meant = error.context
    elif error.validator == "anyOf" and not _of_type(error):
        meant = _meant(error.context)
    else:
        meant = []
    for below in meant:
        yield from _leaves(below)
    if not meant:
        yield error


def _of_type(error: Json) -> bool:
    """Is it about the value of the keyword `type`, and not of a property that is called so?"""
    return ("properties", "type") in pairwise(error.absolute_schema_path)


def _meant(context: list[Json]) -> list[Json]:
    """The errors of the one alternative that is for values of this type; none where there is no such one."""
    unfit = {
        one.relative_schema_path[0] for one in context if one.validator == "type" and not one.relative_path
    }
    fit = {one.relative_schema_path[0] for one in context} - unfit
    return [one for one in context if one.relative_schema_path[0] in fit] if len(fit) == 1 else []


def _text(error: Json) -> str:
    name = error.absolute_path[-1] if error.absolute_path else "the record"
    found = _shown(error.instance)
    if _of_type(error):
        return f"{found} is no JSON type"
    match error.validator:
        case "type":
            wanted = (
                [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
            )
            return f"{quoted(str(name))} is {found} and must be {' or '.join(map(_TYPE_NAMES.__getitem__, wanted))}"
        case "dependencies":
            lacking = (n for n in _BOUND_OF if n in error.instance and _BOUND_OF[n] not in error.instance)
            return " and ".join(
                f"{quoted(flag)} needs {quoted(_BOUND_OF[flag])} beside it" for flag in lacking
            )
        case "minItems" if not error.instance:
            return f"{quoted(str(name))} is empty"
        case _:
            return f"{quoted(str(name))}: {error.message}"


_TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_BOUND_OF = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _fix(error: Json) -> str | None:
    types = ("null", "boolean", "object", "array", "number", "integer", "string")
    name = error.absolute_path[-1] if error.absolute_path else None
    match name, error.instance:
        case _, str(word) if _of_type(error):
            return fix_for(word, types, f"Types are {', '.join(types)}.")
        case (("exclusiveMinimum" | "exclusiveMaximum"), bool()):
            return f'Give the bound itself, and leave "{_BOUND_OF[name]}" out; a boolean is draft 4.'
        case (("exclusiveMinimum" | "exclusiveMaximum"), _):
            return f'Give the bound as "{_BOUND_OF[name]}", and true here; a number is draft 6 and later.'
        case "required", bool():
            return 'List the property\'s name in the "required" of the object that holds it; a boolean is draft 3.'
        case _, [] if error.validator == "minItems":
            return "Leave it out."
        case _, dict() if error.validator == "dependencies":
            return "Add it."
        case "items", list():
            return 'Use "prefixItems", or declare the draft that you write in with "$schema".'
        case _, bool() if error.validator == "type" and error.validator_value == "object":
            return 'Write {} for true and {"not": {}} for false, or declare a later draft.'
        case _:
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
