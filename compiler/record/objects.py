"""The record as an object: its properties, which are required, and whether it is closed.

A property is one that the record schema declares itself, through `$ref` or through `allOf`; declared in several places,
it must satisfy all of them. What only `anyOf`, `oneOf`, `if` or `dependentSchemas` declare is no column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.canonical import Json
from compiler.problems import Finding
from compiler.record.bundle import Bundle
from compiler.record.kinds import Facts, Kind, conjuncts, facts_of
from compiler.record.places import Place
from compiler.suggest import quoted

_BRANCHES = ("anyOf", "oneOf")
_CONDITIONAL = ("if", "then", "else")


@dataclass(frozen=True)
class Member:
    """A top-level property: its schema (all declarations together), where it was first declared, and if it must be there."""

    name: str
    schema: Json
    facts: Facts
    place: Place
    required: bool


@dataclass(frozen=True)
class RecordObject:
    """The record's members in the order of their declaration, and whether other properties are refused.

    `facts` are those of the record itself: its parts declare the members.
    """

    facts: Facts
    members: tuple[Member, ...]
    closed: bool


def record_object(bundle: Bundle) -> RecordObject:
    """Read the record as an object."""
    facts = facts_of(bundle.schema, bundle)
    parts = facts.parts
    required = {name for part in parts for name in part.get("required", ())}
    declared: dict[str, list[tuple[Json, Place]]] = {}
    for part in parts:
        place = bundle.place(part)
        for name, schema in part.get("properties", {}).items():
            declared.setdefault(name, []).append((schema, place))
    members = []
    for name, found in declared.items():
        schema = found[0][0] if len(found) == 1 else {"allOf": [declaration for declaration, _ in found]}
        place = found[0][1].below("properties", name)
        members.append(Member(name, schema, facts_of(schema, bundle), place, name in required))
    return RecordObject(facts, tuple(members), _closed(parts, bundle))


def _closed(parts: tuple[dict[str, Json], ...], bundle: Bundle) -> bool:
    """Does a keyword that every record must satisfy refuse undeclared names? Never yes where one could get through.

    `additionalProperties: false` refuses whatever is not beside it. `unevaluatedProperties: false` refuses what no
    subschema has looked at, so any that looks at every name opens it again.
    """
    return any(
        (part.get("additionalProperties") is False and not part.get("patternProperties"))
        or (part.get("unevaluatedProperties") is False and not _looks_at_any(part, bundle, frozenset()))
        for part in parts
    )


def _looks_at_any(schema: Json, bundle: Bundle, seen: frozenset[str]) -> bool:
    """May the schema, or one that it applies to the same value, evaluate names that it does not declare?"""
    if not isinstance(schema, dict):
        return False
    opening = (schema.get("additionalProperties", False), schema.get("unevaluatedProperties", False))
    if any(keyword is not False for keyword in opening) or schema.get("patternProperties"):
        return True
    below = [part for keyword in ("allOf", *_BRANCHES) for part in schema.get(keyword, ())]
    below += [schema[keyword] for keyword in _CONDITIONAL if keyword in schema]
    below += schema.get("dependentSchemas", {}).values()
    if any(_looks_at_any(part, bundle, seen) for part in below):
        return True
    reference = schema.get("$ref")
    return (
        reference is not None
        and reference not in seen
        and _looks_at_any(bundle.follow(schema), bundle, seen | {reference})
    )


def object_findings(bundle: Bundle, record: RecordObject, *, keeps_record: bool) -> Iterator[Finding]:
    """What is wrong with the record as an object. `keeps_record`: a column takes the whole record as it came."""
    place = bundle.place(bundle.schema)
    if record.facts.kind != Kind.OBJECT:
        yield place.error(
            "record-not-object",
            "The record schema admits values that are no objects.",
            'Add "type": "object"; a record is an object whose properties are columns.',
        )
        return
    if not record.members and not keeps_record:
        yield place.error(
            "record-empty",
            "The record has no properties, so the table would have no columns.",
            "Declare the properties that a record has.",
        )
    yield from _never_admitted(bundle, record)
    yield from _undeclared_required(bundle, record, keeps_record=keeps_record)
    if not keeps_record:
        yield from _open_findings(bundle, record, place)


def _open_findings(bundle: Bundle, record: RecordObject, place: Place) -> Iterator[Finding]:
    ways_out = 'add {"record": {"from": "$record"}} to table.columns, which keeps each record whole.'
    patterned = next((part for part in record.facts.parts if part.get("patternProperties")), None)
    if patterned is not None:
        yield (
            bundle.place(patterned)
            .below("patternProperties")
            .error(
                "record-open",
                "The record admits properties by pattern, and no column would take them.",
                f"Declare each property by its name, or {ways_out}",
                at_key=True,
            )
        )
    elif not record.closed:
        yield place.error(
            "record-open",
            "The record is open: properties that it does not declare would be dropped in silence.",
            f'Close it with "additionalProperties": false, or {ways_out}',
        )
    else:
        names = {member.name for member in record.members}
        for part in record.facts.parts:
            for name, found in _conditional_properties(part, bundle, frozenset()):
                if name not in names:
                    names.add(name)
                    yield found.error(
                        "record-conditional-property",
                        f"The property {quoted(name)} is declared only in a branch, so it has no column.",
                        f'Declare it at the top as well ("properties": {{{quoted(name)}: true}}), or {ways_out}',
                        at_key=True,
                    )


def _conditional_properties(
    schema: dict[str, Json], bundle: Bundle, seen: frozenset[str]
) -> Iterator[tuple[str, Place]]:
    """Properties declared under keywords that a record may or may not satisfy."""
    branches = [part for keyword in _BRANCHES for part in schema.get(keyword, ())]
    branches += [schema[keyword] for keyword in _CONDITIONAL if keyword in schema]
    branches += schema.get("dependentSchemas", {}).values()
    for branch in branches:
        for part in conjuncts(branch, bundle, seen):
            for name in part.get("properties", ()):
                yield name, bundle.place(part).below("properties", name)
            inside = seen | {part["$ref"]} if "$ref" in part else seen
            yield from _conditional_properties(part, bundle, inside)


def _never_admitted(bundle: Bundle, record: RecordObject) -> Iterator[Finding]:
    """Properties that are declared where another part of the schema cannot see them, or as `false`."""
    for member in record.members:
        if member.facts.kind == Kind.NEVER:
            yield member.place.error(
                "record-property-never",
                f"The property {quoted(member.name)} admits no value at all.",
                "Remove it, or mend its types.",
                at_key=True,
            )
    for part in record.facts.parts:
        for keyword, visible in _visible(part, bundle):
            for member in record.members:
                if member.name not in visible and not _by_pattern(part, member.name):
                    yield member.place.error(
                        "record-property-never",
                        f"The property {quoted(member.name)} can never be present: {quoted(keyword)}: false does not see "
                        "where it is declared.",
                        'Use one "unevaluatedProperties": false at the top, which sees $ref and allOf.',
                        at_key=True,
                    )


def _visible(part: dict[str, Json], bundle: Bundle) -> Iterator[tuple[str, set[str]]]:
    """For each keyword with which the part closes the record: the declared names that it sees."""
    if part.get("additionalProperties") is False:
        yield "additionalProperties", set(part.get("properties", ()))
    if part.get("unevaluatedProperties") is False and not _looks_at_any(part, bundle, frozenset()):
        inner = conjuncts(part, bundle)
        conditional = {name for name, _ in _conditional_properties(part, bundle, frozenset())}
        yield "unevaluatedProperties", conditional.union(*(one.get("properties", ()) for one in inner))


def _by_pattern(part: dict[str, Json], name: str) -> bool:
    """Errs towards yes: JSON Schema's patterns and Python's differ in corners."""
    try:
        return any(re.search(pattern, name) for pattern in part.get("patternProperties", ()))
    except re.error:
        return True


def _undeclared_required(bundle: Bundle, record: RecordObject, *, keeps_record: bool) -> Iterator[Finding]:
    from compiler.suggest import fix_for

    names = {member.name for member in record.members}
    for part in record.facts.parts:
        for index, name in enumerate(part.get("required", ())):
            if name not in names and not (keeps_record and not record.closed):
                yield (
                    bundle.place(part)
                    .below("required", index)
                    .error(
                        "record-required",
                        f"The required property {quoted(name)} is not declared.",
                        fix_for(name, names, "Declare it, or remove it from the list."),
                    )
                )
