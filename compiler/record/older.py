"""What older drafts' keywords become in 2020-12, by a fixed table.

| before | in 2020-12 |
|---|---|
| `exclusiveMinimum: true` beside `minimum: n` (draft 4) | `exclusiveMinimum: n`; likewise the maximum |
| a list of `items`, and `additionalItems` | `prefixItems`, and `items` |
| `additionalItems` without a list | left out, as it means nothing |
| `dependencies` | `dependentRequired` and `dependentSchemas` |
| `$recursiveRef` (2019-09) | `$ref` to the root of its resource |
| `id`, `$id`, `$anchor`, `definitions` | `$defs` of the bundle, under names of its own |

Two things of 2019-09 have no translation: `$recursiveRef` where more than one schema could be meant, and
`unevaluatedItems` beside `contains`, which 2020-12 counts among the evaluated items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.canonical import Json
from compiler.problems import Finding, Pointer
from compiler.record.dialects import DIALECT_4, DIALECT_2019_09, DIALECT_2020_12, Dialect
from compiler.record.documents import Document
from compiler.record.places import Place
from compiler.suggest import quoted

_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


def translate(found: dict[str, Json], source: dict[str, Json], dialect: Dialect) -> None:
    """Turn the keywords of `found`, as they stand in `source`, into those of 2020-12."""
    if dialect is DIALECT_2020_12:
        return
    _tuples(found, source)
    if dialect is DIALECT_4:
        _bounds(found)


def _tuples(found: dict[str, Json], source: dict[str, Json]) -> None:
    if isinstance(source.get("items"), list) and "items" in found:
        found["prefixItems"] = found.pop("items")
        if "additionalItems" in found:
            found["items"] = found.pop("additionalItems")
    else:
        found.pop("additionalItems", None)


def _bounds(found: dict[str, Json]) -> None:
    for flag, bound in _BOUNDS:
        if found.pop(flag, False):
            found[flag] = found.pop(bound)


def recursive_findings(
    references: Iterable[tuple[Document, Pointer]], documents: Iterable[Document]
) -> Iterator[Finding]:
    """The `$recursiveRef`s that are more than a `$ref` to the root of their resource.

    One that leads to a root without `$recursiveAnchor: true` is just that. One that leads to a root with it means the
    outermost such root on the path of evaluation, which is known in advance only where there is no other.
    """
    anchored = {(document.file, root) for document in documents for root in _anchored(document)}
    for document, pointer in references:
        at = document.place(pointer)
        if document.at(pointer)["$recursiveRef"] != "#":
            yield _refused(at, 'it leads to "#" and nowhere else')
        elif len(anchored) > 1 and (document.file, document.resource(pointer)) in anchored:
            yield _refused(at, "several schemas have $recursiveAnchor, and the path of evaluation decides")


def _refused(place: Place, reason: str) -> Finding:
    message = f'"$recursiveRef" cannot be translated here: {reason}.'
    return place.below("$recursiveRef").error("record-keyword", message, "Use $ref, which names its schema.")


def _anchored(document: Document) -> Iterator[Pointer]:
    if document.dialect is DIALECT_2019_09:
        for root in {(), *document.resources.values()}:
            schema = document.at(root)
            if isinstance(schema, dict) and schema.get("$recursiveAnchor") is True:
                yield root


def misplaced_anchor(document: Document, pointer: Pointer, schema: dict[str, Json]) -> Finding | None:
    """A `$recursiveAnchor: true` that 2019-09 gives no meaning to, since no resource begins there."""
    if schema.get("$recursiveAnchor") is not True or document.resource(pointer) == pointer:
        return None
    message = '"$recursiveAnchor" has a meaning only at the root of a schema, and this is a part of one.'
    place = document.place((*pointer, "$recursiveAnchor"))
    return place.error("record-keyword", message, "Move it to the root, or remove it.", at_key=True)


def unevaluated_findings(places: Iterable[Place]) -> Iterator[Finding]:
    """2019-09's `unevaluatedItems` in a record that uses `contains` somewhere."""
    for place in places:
        yield place.error(
            "record-keyword",
            f'"unevaluatedItems" cannot be translated beside "contains": {DIALECT_2019_09.name} does not count what '
            f'"contains" has looked at, {DIALECT_2020_12.name} does.',
            f'Use "additionalItems", or declare "$schema": {quoted(DIALECT_2020_12.uri)}.',
            at_key=True,
        )
