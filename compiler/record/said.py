"""What schemas say of one value: by themselves, in the schemas that they combine, and where their references lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import jsonschema_rs

from compiler.canonical import Json, canonical

_DEEPEST = 8  # references and combinations that are followed from one value

_ALL = ("allOf",)
_ANY = ("allOf", "anyOf", "oneOf")
_ONE = ("if", "then", "else", "not")


@dataclass(frozen=True)
class Node:
    """A schema, with the definitions that its references lead to."""

    schema: dict[str, Json] = field(repr=False)
    definitions: dict[str, Json] = field(repr=False)

    def below(self, schema: Json) -> Iterator[Node]:
        """A schema of another value, where it says more than yes or no."""
        if isinstance(schema, dict):
            yield Node(schema, self.definitions)

    def spread(self, lists: Sequence[str], singles: Sequence[str], depth: int = 0) -> Iterator[Node]:
        """The node, and what it refers to or combines of the same value."""
        yield self
        parts = [part for keyword in lists for part in self.schema.get(keyword, ())]
        parts += [self.schema[keyword] for keyword in singles if keyword in self.schema]
        parts += self.schema.get("dependentSchemas", {}).values() if singles else ()
        if "$ref" in self.schema:
            parts.append(self.definitions.get(self.schema["$ref"].removeprefix("#/$defs/")))
        if depth < _DEEPEST:
            for part in parts:
                for node in self.below(part):
                    yield from node.spread(lists, singles, depth + 1)


@dataclass(frozen=True)
class Place:
    """What is said of one value: by `must`, which has to admit it, and by `said`, all schemas that mention it."""

    must: tuple[Node, ...]
    said: tuple[Node, ...]

    @classmethod
    def of(cls, must: Iterable[Node], said: Iterable[Node]) -> Place:
        """With all that the nodes combine and refer to."""
        return cls(
            tuple(one for node in must for one in node.spread(_ALL, ())),
            tuple(one for node in said for one in node.spread(_ANY, _ONE)),
        )

    def property(self, name: str) -> Place:
        """What is said of the value's property."""
        return Place.of(_properties(self.must, name), _properties(self.said, name))

    def item(self) -> Place:
        """What is said of the value's items."""
        return Place.of(_items(self.must), _items(self.said))

    def stated(self, *keywords: str) -> list[Json]:
        """What the schemas say under the keywords, each once."""
        found = (node.schema[keyword] for node in self.said for keyword in keywords if keyword in node.schema)
        return list({canonical(value): value for value in found}.values())

    def may_be(self, kind: str) -> bool:
        """Whether anything is said of the value, and `must` does not rule out the JSON type."""
        types = (node.schema["type"] for node in self.must if "type" in node.schema)
        return bool(self.said) and all(kind in ([one] if isinstance(one, str) else one) for one in types)

    def forbids(self, name: str) -> bool:
        """Whether `must` admits no object with the property."""
        return any(
            node.schema.get("additionalProperties") is False
            and name not in node.schema.get("properties", {})
            and not any(_fits(pattern, name) for pattern in node.schema.get("patternProperties", ()))
            for node in self.must
        )

    def rejects(self, name: str) -> bool:
        """Whether `must` admits no object with the property, and says nothing of its value."""
        return self.forbids(name) and not any(_properties(self.must, name))

    def admitted(self, values: Iterable[Json]) -> Iterator[Json]:
        """Those values, each once, that `must` admits."""
        if not self.must:
            return once(values)
        return filter(self._validator.is_valid, once(values))

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        schema: Json = {"allOf": [node.schema for node in self.must]}
        if refers(schema):
            schema["$defs"] = self.must[0].definitions
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def admits(self, value: Json) -> bool:
        """Whether `must` admits the value."""
        return not self.must or self._validator.is_valid(value)


def _properties(nodes: Iterable[Node], name: str) -> Iterator[Node]:
    for node in nodes:
        declared = node.schema.get("properties", {})
        patterns = node.schema.get("patternProperties", {})
        found = [declared[name]] if name in declared else []
        found += [schema for pattern, schema in patterns.items() if _fits(pattern, name)]
        for schema in found or [node.schema.get("additionalProperties")]:
            yield from node.below(schema)


def _fits(pattern: str, name: str) -> bool:
    validator = jsonschema_rs.Draft202012Validator({"pattern": pattern})
    return validator.is_valid(name)


def _items(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        for schema in (*node.schema.get("prefixItems", ())[:1], node.schema.get("items")):
            yield from node.below(schema)


def refers(schema: Json) -> bool:
    """Whether the schema may hold a reference; only then do definitions matter to it."""
    return b'"$ref"' in canonical(schema)


def once(values: Iterable[Json]) -> Iterator[Json]:
    """Each value when it comes first."""
    met: set[str | bytes] = set()
    for value in values:
        text = value if isinstance(value, str) else canonical(value)
        if text not in met:
            met.add(text)
            yield value
