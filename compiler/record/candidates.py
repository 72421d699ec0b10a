"""Records worth trying where two schemas may differ: built from the keywords of both, in a fixed order.

Each value is near some limit that one of the schemas states (one character more than `maxLength`, a number with one
decimal too many, each word of an `enum`, a property left out), all else in the record is plain. A value is kept where the
schema that must admit it does. What is missed here is missed silently: the list is for finding, never for proving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import combinations, islice

from compiler.canonical import Json, canonical
from compiler.record.matching import matching
from compiler.record.said import Node, Place, once

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
    nodes = [Node(schema, schema.get("$defs", {})) for schema in (must, other)]
    place, refusing = Place.of(nodes[:1], nodes), Place.of(nodes[1:], ())
    fields = _fields(place, 0)
    if by_property:
        fields = {name: _few(values) if refusing.rejects(name) else values for name, values in fields.items()}
    return filter(admits, _objects(place, fields, admits, known))


def plain(schema: Json) -> tuple[Json, ...]:
    """A plain value that the schema admits; empty where none was found."""
    node = Node(schema, schema.get("$defs", {}))
    place = Place.of((node,), (node,))
    return tuple(islice(place.admitted(_tried(place, 1)), 1))


def _values(place: Place, depth: int) -> list[Json]:
    return list(islice(place.admitted(_tried(place, depth)), _MOST_BELOW))


def _tried(place: Place, depth: int) -> Iterator[Json]:
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
        once(value for values in enums for value in values), key=lambda word: counted[canonical(word)]
    )
    return iter([*words[-1:], *words])


def _strings(place: Place) -> Iterator[str]:
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


def _numbers(place: Place) -> Iterator[int | float]:
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


def _arrays(place: Place, depth: int) -> Iterator[Json]:
    if not place.stated("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"):
        return
    items = _values(place.item(), depth + 1) or [None]
    yield from ([value] for value in items)
    yield from (items[:2], [items[0], items[0]])
    for count in _around(place.stated("minItems", "maxItems", "minContains", "maxContains")):
        yield items[:count]
        yield [items[0]] * min(count, _MOST_ITEMS)


def _fields(place: Place, depth: int) -> dict[str, list[Json]]:
    """Values for each property that an object may have."""
    names = (name for name in _names(place) if not place.forbids(name))
    return {name: values for name in names if (values := _values(place.property(name), depth + 1))}


def _few(values: list[Json]) -> list[Json]:
    """The plainest value and the shortest."""
    return [values[0], min(values, key=lambda value: len(canonical(value)))]


def _objects(
    place: Place,
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
    bases = list(filter(admits, once([least, more, most, *known])))
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


def _names(place: Place) -> Iterator[str]:
    required = (name for names in place.stated("required") for name in names)
    depending = (name for names in place.stated("dependentRequired", "dependentSchemas") for name in names)
    yield from dict.fromkeys(
        (*sorted({*_declared(place), *required, *depending}), *_free_names(place), _UNDECLARED)
    )


def _declared(place: Place) -> Iterator[str]:
    return (name for node in place.said for name in node.schema.get("properties", {}))


def _free_names(place: Place) -> Iterator[str]:
    """Names of properties that no schema spells out, where one says what such names look like."""
    for patterns in place.stated("patternProperties"):
        yield from (name for pattern in patterns for name in matching(pattern)[:2])
    rules = [node for one in place.said for node in one.below(one.schema.get("propertyNames"))]
    if rules:
        yield from list(_strings(Place.of((), rules)))[:_MOST_NAMES]
        yield from _TEXTS[:_MOST_NAMES]


def _around(limits: Iterable[Json]) -> list[int]:
    return sorted({n for limit in limits for n in (int(limit) - 1, int(limit), int(limit) + 1) if n >= 0})
