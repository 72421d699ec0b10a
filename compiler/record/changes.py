"""What differs between two record schemas, keyword by keyword, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from compiler.canonical import Json, canonical
from compiler.problems import Pointer, json_path
from compiler.record.bundle import without_annotations
from compiler.record.dialects import DIALECT_2020_12, Part
from compiler.suggest import quoted

ITEM = 0  # any item of a list, in a pointer to a value
ANY_KEY = "*"
_LONGEST = 80
_MOST_WORDS = 12


class Kind(Enum):
    """What another part may ask of a change."""

    REMOVED = auto()  # a property is no longer declared
    UNREQUIRED = auto()  # a property is no longer required
    OTHER = auto()


@dataclass(frozen=True)
class SchemaChange:
    """One keyword that differs; `pointer` leads to the value it speaks of."""

    pointer: Pointer
    text: str
    kind: Kind = Kind.OTHER

    def __str__(self) -> str:
        return f"{place_of(self.pointer)}: {self.text}" if self.pointer else self.text


def place_of(pointer: Pointer) -> str:
    """`("findings", 0, "kind")` -> `findings[].kind`."""
    return json_path(pointer).removeprefix("$").removeprefix(".").replace("[0]", "[]")


def schema_changes(old: Json, new: Json) -> tuple[SchemaChange, ...]:
    """The changes from `old` to `new`, annotations aside, each once, by place."""
    found = _Comparison(old, new).schemas((), without_annotations(old), without_annotations(new))
    return tuple(sorted(dict.fromkeys(found), key=lambda change: (place_of(change.pointer), change.text)))


def optional_removed(changes: Iterable[SchemaChange]) -> set[Pointer]:
    """The properties that are no longer declared and that a record did not have to have."""
    found: dict[Kind, set[Pointer]] = {kind: set() for kind in Kind}
    for change in changes:
        found[change.kind].add(change.pointer)
    return found[Kind.REMOVED] - found[Kind.UNREQUIRED]


class _Comparison:
    """Two documents; the definitions that were compared already are not entered again."""

    def __init__(self, old: Json, new: Json) -> None:
        self.definitions = old.get("$defs", {}), new.get("$defs", {})
        self.entered: set[tuple[str, str]] = set()

    def schemas(self, at: Pointer, old: Json, new: Json) -> Iterator[SchemaChange]:
        if not (isinstance(old, dict) and isinstance(new, dict)):
            if not _same(old, new):
                yield SchemaChange(at, f"was {_cut(old)} and is {_cut(new)}")
            return
        for keyword in sorted({*old, *new} - {"$defs", "$schema"}):
            yield from self.keyword(at, keyword, old, new)

    def keyword(
        self, at: Pointer, keyword: str, old: dict[str, Json], new: dict[str, Json]
    ) -> Iterator[SchemaChange]:
        if keyword == "$ref" and keyword in old and keyword in new:
            yield from self.references(at, old["$ref"], new["$ref"])
        elif keyword == "properties":
            yield from self.properties(at, old.get(keyword, {}), new.get(keyword, {}))
        elif keyword == "required":
            yield from _required(at, old.get(keyword, []), new.get(keyword, []))
        elif keyword not in new:
            yield SchemaChange(at, f"{quoted(keyword)} was {_cut(old[keyword])} and is gone")
        elif keyword not in old:
            yield SchemaChange(at, f"{quoted(keyword)} is new: {_cut(new[keyword])}")
        else:
            yield from self.both(at, keyword, old[keyword], new[keyword])

    def both(self, at: Pointer, keyword: str, old: Json, new: Json) -> Iterator[SchemaChange]:
        below = {"items": (*at, ITEM), "additionalProperties": (*at, ANY_KEY)}.get(keyword, at)
        match DIALECT_2020_12.keywords.get(keyword, Part.VALUE):
            case Part.SCHEMA | Part.ITEMS if isinstance(old, dict) and isinstance(new, dict):
                yield from self.schemas(below, old, new)
            case Part.LIST if keyword == "allOf" and len(old) == len(new):
                for one, other in zip(old, new, strict=True):
                    yield from self.schemas(at, one, other)
            case _ if keyword == "enum":
                yield from _words(at, old, new)
            case _ if not _same(old, new):
                yield SchemaChange(at, f"{quoted(keyword)} was {_cut(old)} and is {_cut(new)}")
            case _:
                pass

    def references(self, at: Pointer, old: str, new: str) -> Iterator[SchemaChange]:
        if (old, new) not in self.entered:
            self.entered.add((old, new))
            definitions = zip(self.definitions, (old, new), strict=True)
            pair = [
                without_annotations(known.get(ref.removeprefix("#/$defs/"))) for known, ref in definitions
            ]
            yield from self.schemas(at, *pair)

    def properties(self, at: Pointer, old: dict[str, Json], new: dict[str, Json]) -> Iterator[SchemaChange]:
        for name in sorted({*old, *new}):
            if name not in new:
                yield SchemaChange((*at, name), "no longer declared", Kind.REMOVED)
            elif name not in old:
                yield SchemaChange((*at, name), "new")
            else:
                yield from self.schemas((*at, name), old[name], new[name])


def _required(at: Pointer, old: list[str], new: list[str]) -> Iterator[SchemaChange]:
    yield from (SchemaChange((*at, name), "required now") for name in sorted({*new} - {*old}))
    yield from (
        SchemaChange((*at, name), "no longer required", Kind.UNREQUIRED) for name in sorted({*old} - {*new})
    )


def _words(at: Pointer, old: list[Json], new: list[Json]) -> Iterator[SchemaChange]:
    kept = {canonical(value) for value in old} & {canonical(value) for value in new}
    lost, gained = ([value for value in values if canonical(value) not in kept] for values in (old, new))
    for verb, values in (("lost", lost), ("gained", gained)):
        if values:
            shown = [*map(_cut, values[:_MOST_WORDS]), *(["…"] if len(values) > _MOST_WORDS else [])]
            yield SchemaChange(at, f'"enum" {verb} {", ".join(shown)}')


def _same(one: Json, other: Json) -> bool:
    return canonical(one) == canonical(other)  # to Python, true equals 1


def _cut(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
