"""`$ref` cycles that never reach a value.

A schema for a tree refers to itself from inside `properties` or `items`: each round looks at a smaller value, which ends.
A cycle through `$ref`, `allOf` and their like alone looks at the same value for ever and says nothing; it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.canonical import Json
from compiler.problems import Finding
from compiler.record.bundle import Bundle
from compiler.suggest import quoted

_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_VALUE = ("not", "if", "then", "else")


def alias_cycles(bundle: Bundle) -> Iterator[Finding]:
    """One finding for each cycle, at the first of its references."""
    edges = {name: dict(_references(schema)) for name, schema in bundle.definitions.items()}
    reported: set[frozenset[str]] = set()
    for start in edges:
        cycle = _cycle(start, edges)
        if cycle and frozenset(cycle) not in reported:
            reported.add(frozenset(cycle))
            holder = edges[cycle[0]][cycle[1 % len(cycle)]]
            shown = " -> ".join(quoted(name) for name in (*cycle, cycle[0]))
            yield (
                bundle.place_of_reference(holder).error(
                    "record-ref-cycle",
                    f"The references lead in a circle and never to a value: {shown}.",
                    "Let one of them say what a value looks like.",
                )
            )


def _references(schema: Json) -> Iterator[tuple[str, Json]]:
    """(definition, the schema object that refers to it) for references that look at the same value."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield schema["$ref"].removeprefix("#/$defs/"), schema
    for keyword in _SAME_VALUE_LISTS:
        for part in schema.get(keyword, ()):
            yield from _references(part)
    for keyword in _SAME_VALUE:
        yield from _references(schema.get(keyword))
    for part in schema.get("dependentSchemas", {}).values():
        yield from _references(part)


def _cycle(start: str, edges: dict[str, dict[str, Json]]) -> tuple[str, ...]:
    """The shortest way from `start` back to itself, without repeating it at the end; empty where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    visited = set()
    while ways:
        way, *ways = ways
        for name in edges[way[-1]]:
            if name == start:
                return way
            if name not in visited:
                visited.add(name)
                ways.append((*way, name))
    return ()
