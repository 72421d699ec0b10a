"""Which JSON types a schema can admit, whether null is one of them, and what every other admitted value must satisfy.

`kinds` never leaves out a type that the schema admits, so a column chosen by it always fits; it may name one that the
schema refuses by other means (`not`, `if`). Null is decided exactly, and by the validator itself where the keywords
that say so at a glance do not suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

import jsonschema_rs

from compiler.canonical import Json
from compiler.record.bundle import Bundle
from compiler.record.dialects import ANNOTATIONS


class Kind:
    """Sets of JSON types as bits; numbers are split into integers (`1.0` is one) and the others.

    Plain integers: enum.Flag costs more than all the rest of a manifest's analysis.
    """

    NEVER = 0
    NULL = 1
    BOOLEAN = 2
    INTEGER = 4
    FRACTION = 8
    STRING = 16
    ARRAY = 32
    OBJECT = 64
    NUMBER = INTEGER | FRACTION
    ANY = NULL | BOOLEAN | NUMBER | STRING | ARRAY | OBJECT


_TYPES = {
    "null": Kind.NULL,
    "boolean": Kind.BOOLEAN,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "string": Kind.STRING,
    "array": Kind.ARRAY,
    "object": Kind.OBJECT,
}
_COMBINING = frozenset(("$ref", "allOf", "anyOf", "oneOf"))

# They say nothing about null, or only what `_simply_admits_null` reads.
_SIMPLE = ANNOTATIONS | {
    *("type", "enum", "const", "allOf", "anyOf", "$ref", "$defs"),
    *("format", "pattern", "minLength", "maxLength", "contentEncoding", "contentMediaType", "contentSchema"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *(
        "items",
        "prefixItems",
        "contains",
        "minContains",
        "maxContains",
        "minItems",
        "maxItems",
        "uniqueItems",
    ),
    *(
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "propertyNames",
        "unevaluatedItems",
    ),
    *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
}


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of every value that a schema admits.

    `kind` holds the types that it may have, null included. `parts` are the schema objects that each value other than
    null satisfies.
    """

    kind: int
    parts: tuple[dict[str, Json], ...]

    @property
    def value_kind(self) -> int:
        """The types without null."""
        return self.kind & ~Kind.NULL

    def values(self, keyword: str) -> list[Json]:
        """The keyword's values in every part that has it."""
        return [part[keyword] for part in self.parts if keyword in part]


def facts_of(schema: Json, bundle: Bundle) -> Facts:
    """The facts of one schema."""
    return Facts(kinds(schema, bundle), tuple(conjuncts(schema, bundle)))


def item_facts(facts: Facts, bundle: Bundle) -> Facts:
    """The facts of every item of the arrays that a schema of those facts admits.

    Items that stand under `prefixItems` have schemas of their own: then the types of all are known, and no parts.
    """
    found = Facts(Kind.ANY, ())
    for part in facts.parts:
        rest = facts_of(part.get("items", True), bundle)
        first = [kinds(schema, bundle) for schema in part.get("prefixItems", ())]
        found = Facts(
            found.kind & reduce(or_, first, rest.kind), (*found.parts, *(() if first else rest.parts))
        )
    return found


def kind_of(value: Json) -> int:
    """The JSON type of one value."""
    match value:
        case None:
            return Kind.NULL
        case bool():
            return Kind.BOOLEAN
        case int():
            return Kind.INTEGER
        case float():
            return Kind.INTEGER if value.is_integer() else Kind.FRACTION
        case str():
            return Kind.STRING
        case list():
            return Kind.ARRAY
        case _:
            return Kind.OBJECT


def kinds(schema: Json, bundle: Bundle, seen: frozenset[str] = frozenset()) -> int:
    """The types that the schema may admit; never too few."""
    if not isinstance(schema, dict):
        return Kind.ANY if schema else Kind.NEVER
    found = _named(schema["type"]) if "type" in schema else Kind.ANY
    if "enum" in schema:
        found &= reduce(or_, map(kind_of, schema["enum"]), Kind.NEVER)
    if "const" in schema:
        found &= kind_of(schema["const"])
    if _COMBINING.isdisjoint(schema):
        return found
    if "$ref" in schema and schema["$ref"] not in seen:
        found &= kinds(bundle.follow(schema), bundle, seen | {schema["$ref"]})
    if "allOf" in schema:
        found &= reduce(and_, (kinds(part, bundle, seen) for part in schema["allOf"]))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            found &= reduce(or_, (kinds(part, bundle, seen) for part in schema[keyword]))
    return found


def _named(types: str | list[str]) -> int:
    return (
        _TYPES[types] if isinstance(types, str) else reduce(or_, (_TYPES[name] for name in types), Kind.NEVER)
    )


def admits_null(schema: Json, kind: int, bundle: Bundle) -> bool:
    """Does the schema of that kind admit null? The validator's answer; where the keywords are plain, without asking."""
    if not kind & Kind.NULL:
        return False
    simple = _simply_admits_null(schema, bundle, frozenset())
    return ask_null(schema, bundle) if simple is None else simple


def ask_null(schema: Json, bundle: Bundle) -> bool:
    """The validator's own answer."""
    asked = {"allOf": [schema], "$defs": bundle.definitions}
    return jsonschema_rs.Draft202012Validator(asked, validate_formats=True, offline=True).is_valid(None)


def _simply_admits_null(schema: Json, bundle: Bundle, seen: frozenset[str]) -> bool | None:
    """Whether null is admitted, or None where only the validator can tell."""
    if not isinstance(schema, dict):
        return bool(schema)
    unread = [word for word in schema if word not in _SIMPLE and not word.startswith("x-")]
    if unread or schema.get("$ref") in seen:
        return None
    if "type" in schema and not _named(schema["type"]) & Kind.NULL:
        return False
    if ("enum" in schema and None not in schema["enum"]) or schema.get("const") is not None:
        return False
    answers = [_simply_admits_null(part, bundle, seen) for part in schema.get("allOf", ())]
    if "$ref" in schema:
        answers.append(_simply_admits_null(bundle.follow(schema), bundle, seen | {schema["$ref"]}))
    if "anyOf" in schema:
        answers.append(_any([_simply_admits_null(part, bundle, seen) for part in schema["anyOf"]]))
    return _all(answers)


def _all(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _any(answers: list[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def conjuncts(schema: Json, bundle: Bundle, seen: frozenset[str] = frozenset()) -> Iterator[dict[str, Json]]:
    """Every schema object that each admitted value other than null must satisfy.

    Through `$ref` and `allOf`; and through an `anyOf` or `oneOf` of which only one branch admits anything but null, as
    generators write for an optional field.
    """
    if not isinstance(schema, dict):
        return
    yield schema
    if _COMBINING.isdisjoint(schema):
        return
    if "$ref" in schema and schema["$ref"] not in seen:
        yield from conjuncts(bundle.follow(schema), bundle, seen | {schema["$ref"]})
    for part in schema.get("allOf", ()):
        yield from conjuncts(part, bundle, seen)
    for keyword in ("anyOf", "oneOf"):
        branches = [part for part in schema.get(keyword, ()) if kinds(part, bundle, seen) & ~Kind.NULL]
        if len(branches) == 1:
            yield from conjuncts(branches[0], bundle, seen)
