"""Draft 7 and 2020-12: which keywords they have, where their subschemas stand, and what draft 7's become.

The table is fixed; what is not in it is either an annotation or refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"

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
    DEPENDENCIES = auto()  # draft 7: an object of schemas or lists of names
    ITEMS = auto()  # draft 7: a schema or a list of schemas
    REFERENCE = auto()
    DROPPED = auto()  # means nothing once references are resolved


_COMMON: Mapping[str, Part] = {
    **dict.fromkeys(
        (
            *ANNOTATIONS,
            *("type", "enum", "const", "format", "pattern", "required", "uniqueItems"),
            *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
            *("contentEncoding", "contentMediaType"),
        ),
        Part.VALUE,
    ),
    **dict.fromkeys(
        ("additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"), Part.SCHEMA
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), Part.LIST),
    **dict.fromkeys(("properties", "patternProperties"), Part.MAP),
    **dict.fromkeys(("$id", "$schema", "definitions"), Part.DROPPED),
    "$ref": Part.REFERENCE,
    # 2020-12 keeps it for old schemas and jsonschema-rs applies it, so it is translated there too.
    "dependencies": Part.DEPENDENCIES,
}

_LATER: Mapping[str, Part] = {
    **dict.fromkeys(("dependentRequired", "minContains", "maxContains"), Part.VALUE),
    **dict.fromkeys(("items", "unevaluatedItems", "unevaluatedProperties", "contentSchema"), Part.SCHEMA),
    "prefixItems": Part.LIST,
    "dependentSchemas": Part.MAP,
    **dict.fromkeys(("$defs", "$anchor"), Part.DROPPED),
}


@dataclass(frozen=True)
class Dialect:
    """One draft: its URI, its name for people, and its keywords."""

    uri: str
    name: str
    keywords: Mapping[str, Part]


DIALECT_2020_12 = Dialect(DRAFT_2020_12, "2020-12", {**_COMMON, **_LATER})
DIALECT_7 = Dialect(
    DRAFT_7,
    "draft 7",
    {**_COMMON, "items": Part.ITEMS, "additionalItems": Part.SCHEMA, "$defs": Part.DROPPED},
)

_SUPPORTED = {
    "json-schema.org/draft/2020-12/schema": DIALECT_2020_12,
    "json-schema.org/draft-07/schema": DIALECT_7,
}

# Refused by name, each with its reason.
REFUSED_DIALECTS: Mapping[str, str] = {
    "json-schema.org/draft/2019-09/schema": "2019-09 is between the two drafts that this release reads",
    "json-schema.org/draft-06/schema": "draft 6 is older than the drafts that this release reads",
    "json-schema.org/draft-04/schema": "draft 4 gives exclusiveMinimum and 1.0 another meaning; this release does not read it",
    "json-schema.org/draft-03/schema": "draft 3 gives required and type another meaning; this release does not read it",
    "json-schema.org/schema": 'it names no draft ("the latest" changes over time)',
}
_USE_REF = "Use $ref."
REFUSED_KEYWORDS: Mapping[str, tuple[str, str]] = {
    "$dynamicRef": ("where it leads depends on the path of evaluation, so it cannot be bundled", _USE_REF),
    "$dynamicAnchor": ("it serves $dynamicRef, which cannot be bundled", "Use $anchor, or a definition."),
    "$recursiveRef": ("it is a keyword of 2019-09 and cannot be bundled", _USE_REF),
    "$recursiveAnchor": ("it is a keyword of 2019-09 and cannot be bundled", "Remove it."),
    "$vocabulary": ("it belongs into meta-schemas", "Remove it."),
    "nullable": (
        "it is a word of OpenAPI 3.0 and means nothing here",
        'Add "null" to the types, or remove it.',
    ),
}


def dialect_named(uri: str) -> Dialect | None:
    """The dialect of a `$schema`, with or without an empty fragment, by http or https."""
    return _SUPPORTED.get(bare(uri))


def bare(uri: str) -> str:
    """A `$schema` without its scheme and empty fragment."""
    return uri.removesuffix("#").removeprefix("https://").removeprefix("http://")
