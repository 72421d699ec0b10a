"""Properties of which two record schemas say the same, set apart: comparing the rest decides as much, and costs less.

Only where each property is judged by itself. A schema then admits a record if it admits what is left without these properties,
and each of them, so that neither a proof nor a search needs them; a record that was found is completed with a value of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from compiler.canonical import Json, canonical
from compiler.record.candidates import plain
from compiler.record.said import refers

# With any other keyword in an object's schemas, one property may decide on another.
_BY_PROPERTY = {"$defs", "$schema", "additionalProperties", "allOf", "properties", "required", "type"}
_CLOSING = "unevaluatedProperties"
_Object = dict[str, Json]


@dataclass(frozen=True)
class Apart:
    """The properties `names`, of which both schemas say the same, and a plain value for each that a record must have.

    `by_property`: both schemas judge each property by itself; there are no names where they do not.
    """

    by_property: bool
    names: frozenset[str]
    base: _Object

    @classmethod
    def of(cls, old: Json, new: Json) -> Apart:
        """What to set apart of two schemas: nothing where a property may decide on another."""
        sides = [list(_parts(schema)) for schema in (old, new)]
        if not all(_is_by_property(part) for side in sides for part in side):
            return cls(by_property=False, names=frozenset(), base={})
        shared = old.get("$defs") == new.get("$defs")
        said = [_by_name(side) for side in sides]
        names = {
            name
            for name, text in said[0].items()
            if text == said[1].get(name) and (shared or b'"$ref"' not in text)
        }
        required = names & {name for part in sides[0] for name in part.get("required", ())}
        base = _base(old, sides[0], required)
        return cls(by_property=True, names=frozenset(names - (required - base.keys())), base=base)

    def without(self, schema: Json) -> Json:
        """The schema as if it did not know them."""
        if not self.names:
            return schema
        kept = self._kept(schema)
        alone = {keyword: value for keyword, value in kept.items() if keyword != "$defs"}
        return kept if refers(alone) else alone

    def _kept(self, schema: _Object) -> _Object:
        kept = {**schema}
        if "properties" in schema:
            kept["properties"] = self.rest(schema["properties"])
        if "required" in schema:
            kept["required"] = [name for name in schema["required"] if name not in self.names]
        if "allOf" in schema:
            kept["allOf"] = [self._kept(part) for part in schema["allOf"]]
        return kept

    def rest(self, record: Json) -> Json:
        """The record without them."""
        return {name: value for name, value in record.items() if name not in self.names}

    def completed(self, record: Json) -> Json:
        """The record with those that it must have."""
        return {**self.base, **record}


def _parts(schema: Json) -> Iterator[Json]:
    """The schemas that a record must satisfy together."""
    yield schema
    if isinstance(schema, dict):
        for part in schema.get("allOf", ()):
            yield from _parts(part)


def _is_by_property(part: Json) -> bool:
    if not isinstance(part, dict):
        return False
    other = part.keys() - _BY_PROPERTY
    return not other or (other == {_CLOSING} and part[_CLOSING] is False)


def _by_name(side: list[_Object]) -> dict[str, bytes]:
    """What a schema says of each property, as one text."""
    parts = [
        (part.get("properties", {}), part.get("additionalProperties", True), part.get("required", ()))
        for part in side
    ]
    return {
        name: canonical([[known.get(name, other), name in must] for known, other, must in parts])
        for name in {name for known, _, _ in parts for name in known}
    }


def _says(part: _Object, name: str) -> Json:
    return part.get("properties", {}).get(name, part.get("additionalProperties", True))


def _base(old: Json, parts: list[_Object], names: set[str]) -> _Object:
    base: _Object = {}
    for name in sorted(names):
        schema: _Object = {"allOf": [_says(part, name) for part in parts]}
        text = canonical(schema)
        if b'"$ref"' in text:
            text = canonical({**schema, "$defs": old.get("$defs", {})})
        base.update((name, value) for value in _plain(text))
    return base


@lru_cache(maxsize=1024)  # most datasets have the same few kinds of keys and times
def _plain(schema: bytes) -> tuple[Json, ...]:
    return plain(json.loads(schema))
