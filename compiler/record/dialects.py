"""The drafts of JSON Schema, from 4 to 2020-12: which keywords each has, and where their subschemas stand.

The table is fixed; what is not in it is either an annotation or refused by name (keywords.py). What the older drafts'
keywords become in 2020-12 is in older.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"

# Carry no meaning for admission; left out of the hash that names a record schema.
ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly")
)


class Part(Enum):
    """What stands under a keyword."""

    VALUE = auto()  # no schema
    SCHEMA = auto()
    LIST = auto()  # a list of schemas
    MAP = auto()  # an object of schemas
    DEPENDENCIES = auto()  # an object of schemas or lists of names
    ITEMS = auto()  # before 2020-12: a schema or a list of schemas
    REFERENCE = auto()
    RECURSIVE = auto()  # 2019-09: $recursiveRef
    DROPPED = auto()  # means nothing once references are resolved


@dataclass(frozen=True, eq=False)
class Dialect:
    """One draft: its URI, its name for people, and its keywords.

    `identifier` names a schema (draft 4 calls it `id`). With `reference_alone` whatever stands beside `$ref` is ignored,
    and an identifier of the form `#name` is an anchor.
    """

    uri: str
    name: str
    keywords: Mapping[str, Part]
    identifier: str = "$id"
    reference_alone: bool = False

    def ignores_siblings(self, schema: Mapping[str, object]) -> bool:
        """Does the schema's `$ref` make the draft ignore everything else in it?"""
        return self.reference_alone and "$ref" in schema


_COMMON: Mapping[str, Part] = {
    **dict.fromkeys(
        (
            *ANNOTATIONS,
            *("type", "enum", "format", "pattern", "required", "uniqueItems"),
            *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        ),
        Part.VALUE,
    ),
    **dict.fromkeys(("additionalProperties", "not"), Part.SCHEMA),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), Part.LIST),
    **dict.fromkeys(("properties", "patternProperties"), Part.MAP),
    **dict.fromkeys(("$schema", "definitions", "$defs"), Part.DROPPED),
    "$ref": Part.REFERENCE,
    # Later drafts keep it for old schemas and jsonschema-rs applies it, so it is translated there too.
    "dependencies": Part.DEPENDENCIES,
}
_SINCE_6: Mapping[str, Part] = {
    "$id": Part.DROPPED,
    "const": Part.VALUE,
    **dict.fromkeys(("contains", "propertyNames"), Part.SCHEMA),
}
_SINCE_7: Mapping[str, Part] = {
    **dict.fromkeys(("contentEncoding", "contentMediaType"), Part.VALUE),
    **dict.fromkeys(("if", "then", "else"), Part.SCHEMA),
}
_SINCE_2019_09: Mapping[str, Part] = {
    **dict.fromkeys(("dependentRequired", "minContains", "maxContains"), Part.VALUE),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "contentSchema"), Part.SCHEMA),
    "dependentSchemas": Part.MAP,
    "$anchor": Part.DROPPED,
}
_UNTIL_2019_09: Mapping[str, Part] = {"items": Part.ITEMS, "additionalItems": Part.SCHEMA}

DIALECT_4 = Dialect(
    "http://json-schema.org/draft-04/schema#",
    "draft 4",
    {**_COMMON, **_UNTIL_2019_09, "id": Part.DROPPED},
    identifier="id",
    reference_alone=True,
)
DIALECT_6 = Dialect(
    "http://json-schema.org/draft-06/schema#",
    "draft 6",
    {**_COMMON, **_SINCE_6, **_UNTIL_2019_09},
    reference_alone=True,
)
DIALECT_7 = Dialect(
    "http://json-schema.org/draft-07/schema#",
    "draft 7",
    {**_COMMON, **_SINCE_6, **_SINCE_7, **_UNTIL_2019_09},
    reference_alone=True,
)
DIALECT_2019_09 = Dialect(
    "https://json-schema.org/draft/2019-09/schema",
    "2019-09",
    {
        **_COMMON,
        **_SINCE_6,
        **_SINCE_7,
        **_SINCE_2019_09,
        **_UNTIL_2019_09,
        "$recursiveRef": Part.RECURSIVE,
        "$recursiveAnchor": Part.DROPPED,
    },
)
DIALECT_2020_12 = Dialect(
    DRAFT_2020_12,
    "2020-12",
    {**_COMMON, **_SINCE_6, **_SINCE_7, **_SINCE_2019_09, "items": Part.SCHEMA, "prefixItems": Part.LIST},
)

DIALECTS = (DIALECT_4, DIALECT_6, DIALECT_7, DIALECT_2019_09, DIALECT_2020_12)
DIALECT_NAMES = "drafts 4, 6, 7, 2019-09 and 2020-12"

# Refused by name, each with its reason.
REFUSED_DIALECTS: Mapping[str, str] = {
    "json-schema.org/draft-05/schema": "draft 5 is draft 4 in other words, and has no meta-schema of its own",
    "json-schema.org/draft-03/schema": "draft 3 gives required and type another meaning; this release does not read it",
    "json-schema.org/schema": 'it names no draft ("the latest" changes over time)',
}


def dialect_named(uri: str) -> Dialect | None:
    """The dialect of a `$schema`, with or without an empty fragment, by http or https."""
    return _SUPPORTED.get(bare(uri))


def bare(uri: str) -> str:
    """A `$schema` without its scheme and empty fragment."""
    return uri.removesuffix("#").removeprefix("https://").removeprefix("http://")


_SUPPORTED = {bare(dialect.uri): dialect for dialect in DIALECTS}
