"""Records worth trying where two schemas may differ: built from the keywords of both, in a fixed order.

Each value is near some limit that one of the schemas states (one character more than `maxLength`, a number with one
decimal too many, each word of an `enum`, a property left out), all else in the record is plain. A value is kept where the
schema that must admit it does. What is missed here is missed silently: the list is for finding, never for proving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from itertools import combinations, islice

import jsonschema_rs

from compiler.canonical import Json, canonical
from compiler.record.matching import matching

# One text of each format, and where a rule within the format is often added, one more.
_FORMATS: dict[str, tuple[str, ...]] = {
    "uuid": ("00000000-0000-4000-8000-000000000000",),
    "date-time": ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.25+02:00"),
    "date": ("2024-01-02",),
    "time": ("03:04:05Z",),
    "duration": ("P1D",),
    "email": ("a@example.com",),
    "idn-email": ("a@example.com",),
    "hostname": ("example.com",),
    "idn-hostname": ("example.com",),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1",),
    "uri": ("https://example.com/",),
    "uri-reference": ("/a",),
    "iri": ("https://example.com/",),
    "iri-reference": ("/a",),
    "uri-template": ("/{a}",),
    "json-pointer": ("/a",),
    "relative-json-pointer": ("0/a",),
    "regex": ("^a$",),
}
_TEXTS = ("a", "A", "0", "", " ", "é", "a b", "a-b", "YWJj")
_NUMBERS = (1, 0, -1, 0.5, 1.5, 0.25, 10, 2**31, 2**53 + 2)
_LONGEST = 300_000  # characters: about as many as a message can hold
_MOST_ITEMS = 20_000
_DEEPEST = 4
_MOST_BELOW = 300
_MOST_PAIRED = 20
_UNDECLARED = "other"
_MOST_NAMES = 12

_ALL = ("allOf",)
_ANY = ("allOf", "anyOf", "oneOf")
_ONE = ("if", "then", "else", "not")


@dataclass(frozen=True)
class _Node:
    """A schema, with the definitions that its references lead to."""

    schema: dict[str, Json] = field(repr=False)
    definitions: dict[str, Json] = field(repr=False)

    def below(self, schema: Json) -> Iterator[_Node]:
        if isinstance(schema, dict):
            yield _Node(schema, self.definitions)

    def spread(self, lists: Sequence[str], singles: Sequence[str], depth: int = 0) -> Iterator[_Node]:
        """The node, and what it refers to or combines of the same value."""
        yield self
        parts = [part for keyword in lists for part in self.schema.get(keyword, ())]
        parts += [self.schema[keyword] for keyword in singles if keyword in self.schema]
        parts += self.schema.get("dependentSchemas", {}).values() if singles else ()
        if "$ref" in self.schema:
            parts.append(self.definitions.get(self.schema["$ref"].removeprefix("#/$defs/")))
        if depth < 2 * _DEEPEST:
            for part in parts:
                for node in self.below(part):
                    yield from node.spread(lists, singles, depth + 1)


@dataclass(frozen=True)
class _Place:
    """What is said of one value: by `must`, which has to admit it, and by `said`, all schemas that mention it."""

    must: tuple[_Node, ...]
    said: tuple[_Node, ...]

    @classmethod
    def of(cls, must: Iterable[_Node], said: Iterable[_Node]) -> _Place:
        return cls(
            tuple(one for node in must for one in node.spread(_ALL, ())),
            tuple(one for node in said for one in node.spread(_ANY, _ONE)),
        )

    def property(self, name: str) -> _Place:
        return _Place.of(_properties(self.must, name), _properties(self.said, name))

    def item(self) -> _Place:
        return _Place.of(_items(self.must), _items(self.said))

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
            return _once(values)
        return filter(self._validator.is_valid, _once(values))

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        schema: Json = {"allOf": [node.schema for node in self.must]}
        if refers(schema):
            schema["$defs"] = self.must[0].definitions
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def admits(self, value: Json) -> bool:
        """Whether `must` admits the value."""
        return not self.must or self._validator.is_valid(value)


def candidates(
    must: Json,
    other: Json,
    admits: Callable[[Json], bool],
    known: Sequence[Json] = (),
    *,
    by_property: bool = False,
) -> Iterator[Json]:
    """Records that `must` admits, near the limits of both schemas; `known` are records to vary as well.

    `admits` is the word of a validator of `must`. A record may come more than once. Where both schemas judge each
    property by itself, `by_property`, a property that `other` knows nothing of but that it may not be there is tried with
    few values: it is refused whatever they are.
    """
    nodes = [_Node(schema, schema.get("$defs", {})) for schema in (must, other)]
    place, refusing = _Place.of(nodes[:1], nodes), _Place.of(nodes[1:], ())
    fields = _fields(place, 0)
    if by_property:
        fields = {name: _few(values) if refusing.rejects(name) else values for name, values in fields.items()}
    return filter(admits, _objects(place, fields, admits, known))


def plain(schema: Json) -> tuple[Json, ...]:
    """A plain value that the schema admits; empty where none was found."""
    node = _Node(schema, schema.get("$defs", {}))
    place = _Place.of((node,), (node,))
    return tuple(islice(place.admitted(_tried(place, 1)), 1))


def _values(place: _Place, depth: int) -> list[Json]:
    return list(islice(place.admitted(_tried(place, depth)), _MOST_BELOW))


def _tried(place: _Place, depth: int) -> Iterator[Json]:
    yield from place.stated("const")
    yield from _words(place.stated("enum"))
    yield from _strings(place)
    yield from _numbers(place)
    yield from (True, False, None)
    if depth < _DEEPEST and place.may_be("array"):
        yield from _arrays(place, depth)
    if depth < _DEEPEST and place.may_be("object"):
        yield from islice(_objects(place, _fields(place, depth), place.admits), _MOST_BELOW)
    yield from ([], {})


def _words(enums: Sequence[list[Json]]) -> Iterator[Json]:
    """A word that most lists have, then all, those first that not every list has: there may be more than are tried."""
    counted = Counter(canonical(value) for values in enums for value in values)
    words = sorted(
        _once(value for values in enums for value in values), key=lambda word: counted[canonical(word)]
    )
    return iter([*words[-1:], *words])


def _strings(place: _Place) -> Iterator[str]:
    lengths = [n for n in _around(place.stated("minLength", "maxLength")) if n <= _LONGEST]
    patterned = [text for pattern in place.stated("pattern") for text in matching(pattern, lengths)]
    yield from patterned
    for name in place.stated("format"):
        yield from _FORMATS.get(name, ())
    yield from _TEXTS
    yield from ("a" * length for length in lengths)
    yield from (
        changed for text in patterned for changed in (text + "!", text.upper(), text[:-1], f"!{text}")
    )
    yield from (text for texts in _FORMATS.values() for text in texts)


def _numbers(place: _Place) -> Iterator[int | float]:
    yield from _NUMBERS
    steps = [Decimal(str(step)) for step in place.stated("multipleOf")]
    for step in steps:
        yield from _numerals(step, step / 2, step / 10, step * 3)
    for bound in place.stated("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        exact = Decimal(str(bound))
        for step in (Decimal(1), *steps, *(step / 10 for step in steps)):
            yield from _numerals(exact, exact - step, exact + step)


def _numerals(*numbers: Decimal) -> Iterator[int | float]:
    """The numbers as JSON holds them; those that a double cannot hold exactly are left out."""
    for number in numbers:
        try:
            whole = number == number.to_integral_value()
        except InvalidOperation:
            continue
        if whole and number.adjusted() < 40:
            yield int(number)
        elif Decimal(repr(float(number))) == number:
            yield float(number)


def _arrays(place: _Place, depth: int) -> Iterator[Json]:
    if not place.stated("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"):
        return
    items = _values(place.item(), depth + 1) or [None]
    yield from ([value] for value in items)
    yield from (items[:2], [items[0], items[0]])
    for count in _around(place.stated("minItems", "maxItems", "minContains", "maxContains")):
        yield items[:count]
        yield [items[0]] * min(count, _MOST_ITEMS)


def _fields(place: _Place, depth: int) -> dict[str, list[Json]]:
    """Values for each property that an object may have."""
    names = (name for name in _names(place) if not place.forbids(name))
    return {name: values for name in names if (values := _values(place.property(name), depth + 1))}


def _few(values: list[Json]) -> list[Json]:
    """The plainest value and the shortest."""
    return [values[0], min(values, key=lambda value: len(canonical(value)))]


def _objects(
    place: _Place,
    fields: dict[str, list[Json]],
    admits: Callable[[Json], bool],
    known: Sequence[Json] = (),
) -> Iterator[Json]:
    """Records with what one schema requires, what both do, everything, and the known ones; then each with one thing changed."""
    required = {name for node in place.must for name in node.schema.get("required", ())}
    asked = required.union(*(names for names in place.stated("required")))
    least = {name: values[0] for name, values in fields.items() if name in required}
    more = {name: values[0] for name, values in fields.items() if name in asked}
    declared = set(_declared(place))
    most = {name: values[0] for name, values in fields.items() if name in declared}
    bases = list(filter(admits, _once([least, more, most, *known])))
    yield from bases
    for base in bases or [least, most]:
        yield from _varied(base, fields)
    yield from _paired(least, fields)


def _varied(base: Json, fields: dict[str, list[Json]]) -> Iterator[Json]:
    for name, values in fields.items():
        yield {key: value for key, value in base.items() if key != name}
        yield from ({**base, name: value} for value in values)


def _paired(base: Json, fields: dict[str, list[Json]]) -> Iterator[Json]:
    """Two fields at once, since a schema may make one depend on the other."""
    names = [name for name in fields if name not in base][:_MOST_PAIRED]
    for first, second in combinations(names, 2):
        yield {**base, first: fields[first][0], second: fields[second][0]}


def _names(place: _Place) -> Iterator[str]:
    required = (name for names in place.stated("required") for name in names)
    depending = (name for names in place.stated("dependentRequired", "dependentSchemas") for name in names)
    yield from dict.fromkeys(
        (*sorted({*_declared(place), *required, *depending}), *_free_names(place), _UNDECLARED)
    )


def _declared(place: _Place) -> Iterator[str]:
    return (name for node in place.said for name in node.schema.get("properties", {}))


def _free_names(place: _Place) -> Iterator[str]:
    """Names of properties that no schema spells out, where one says what such names look like."""
    for patterns in place.stated("patternProperties"):
        yield from (name for pattern in patterns for name in matching(pattern)[:2])
    rules = [node for one in place.said for node in one.below(one.schema.get("propertyNames"))]
    if rules:
        yield from list(_strings(_Place.of((), rules)))[:_MOST_NAMES]
        yield from _TEXTS[:_MOST_NAMES]


def _properties(nodes: Iterable[_Node], name: str) -> Iterator[_Node]:
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


def _items(nodes: Iterable[_Node]) -> Iterator[_Node]:
    for node in nodes:
        for schema in (*node.schema.get("prefixItems", ())[:1], node.schema.get("items")):
            yield from node.below(schema)


def _around(limits: Iterable[Json]) -> list[int]:
    return sorted({n for limit in limits for n in (int(limit) - 1, int(limit), int(limit) + 1) if n >= 0})


def refers(schema: Json) -> bool:
    """Whether the schema may hold a reference; only then do definitions matter to it."""
    return b'"$ref"' in canonical(schema)


def _once(values: Iterable[Json]) -> Iterator[Json]:
    met: set[str | bytes] = set()
    for value in values:
        text = value if isinstance(value, str) else canonical(value)
        if text not in met:
            met.add(text)
            yield value
