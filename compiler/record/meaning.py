"""An effective schema cut down to what a change of its meaning would change."""

from __future__ import annotations

from functools import lru_cache

from compiler.canonical import Json, JsonDocument
from compiler.record.bundle import without_annotations
from compiler.record.domain import JSON_DEFINITION, NO_NUL


def same_meaning(old: JsonDocument, new: JsonDocument) -> bool:
    """Whether two effective schemas differ in annotations at most, and in what the platform says of any string."""
    return old == new or comparable(old) == comparable(new)


@lru_cache(maxsize=16)  # a dataset's few schemas are asked about one after another, each several times
def comparable(document: JsonDocument) -> Json:
    """The schema without annotations, and without what the decoder refuses before any schema is asked: U+0000.

    Left in, it would leave most questions open, since whether a format admits U+0000 cannot be proved.
    The value is shared by all who ask; nobody may change it.
    """
    schema = without_annotations(document.value)
    if JSON_DEFINITION in schema.get("$defs", {}):
        schema["$defs"][JSON_DEFINITION] = {}
    match schema:
        case {"allOf": [record, domain]}:
            return {**schema, "allOf": [record, _without_nul(domain)]}
        case _:
            return schema


def _without_nul(domain: Json) -> Json:
    match domain:
        case dict():
            return {
                key: _without_nul(value) if isinstance(value, dict | list) else value
                for key, value in domain.items()
                if key != "pattern" or value != NO_NUL
            }
        case list():
            return [_without_nul(value) for value in domain]
        case _:
            return domain
