"""Keywords that a draft does not have: refused by name, without effect, or misspelt."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.problems import Finding
from compiler.record.dialects import (
    ANNOTATIONS,
    DIALECT_4,
    DIALECT_2019_09,
    DIALECT_2020_12,
    Dialect,
    Part,
)
from compiler.record.places import Place
from compiler.suggest import did_you_mean, quoted

_USE_REF = "Use $ref."
_DRAFT_3 = "it is a keyword of draft 3"
_OF_2019_09 = "it is a keyword of 2019-09 alone"
REFUSED_KEYWORDS: Mapping[str, tuple[str, str]] = {
    "$dynamicRef": ("where it leads depends on the path of evaluation, so it cannot be bundled", _USE_REF),
    "$dynamicAnchor": ("it serves $dynamicRef, which cannot be bundled", "Use $anchor, or a definition."),
    "$recursiveRef": (
        _OF_2019_09,
        f'Use $ref, or declare "$schema": {quoted(DIALECT_2019_09.uri)}.',
    ),
    "$recursiveAnchor": (_OF_2019_09, f'Remove it, or declare "$schema": {quoted(DIALECT_2019_09.uri)}.'),
    "$vocabulary": ("it belongs into meta-schemas", "Remove it."),
    "divisibleBy": (_DRAFT_3, 'Use "multipleOf".'),
    "disallow": (_DRAFT_3, 'Use "not": {"type": …}.'),
    "extends": (_DRAFT_3, 'Use "allOf".'),
    "nullable": (
        "it is a word of OpenAPI 3.0 and means nothing here",
        'Add "null" to the types, or remove it.',
    ),
}
# What older drafts had, and how 2020-12 says it.
_FORMER: Mapping[str, str] = {
    "additionalItems": 'Say it with "items", beside "prefixItems".',
    "id": 'Call it "$id".',
}


def unknown_keyword(place: Place, keyword: str, dialect: Dialect) -> Finding:
    """What to say of a keyword of the schema at `place` that the dialect does not have."""
    at = place.below(keyword)
    if keyword in REFUSED_KEYWORDS:
        reason, fix = REFUSED_KEYWORDS[keyword]
        message = f"{quoted(keyword)} is not supported: {reason}."
        return at.error("record-keyword", message, fix, at_key=True)
    message = f"{quoted(keyword)} is no keyword of JSON Schema {dialect.name}, and has no effect."
    if is_later(keyword, dialect):
        return at.warning("record-keyword", message, _later_fix(keyword, dialect), at_key=True)
    if near := _FORMER.get(keyword) or did_you_mean(keyword, dialect.keywords):
        return at.error("record-keyword", message, near, at_key=True)
    return at.warning("record-keyword", message, 'Remove it, or begin its name with "x-".', at_key=True)


def is_later(keyword: str, dialect: Dialect) -> bool:
    """Is it a keyword of 2020-12 that the dialect does not know yet?"""
    return keyword in DIALECT_2020_12.keywords and keyword not in dialect.keywords


def _later_fix(keyword: str, dialect: Dialect) -> str:
    if keyword == "$id" and dialect is DIALECT_4:
        return 'Call it "id", as draft 4 does.'
    return f'Declare "$schema": {quoted(DIALECT_2020_12.uri)} to use it.'


def ignored_keyword(place: Place, keyword: str, dialect: Dialect) -> Finding | None:
    """What to say of a keyword beside a `$ref` that makes the dialect ignore it; nothing where it has no meaning anyway."""
    if keyword in ANNOTATIONS or dialect.keywords.get(keyword) is Part.DROPPED:
        return None
    message = f"{dialect.name.capitalize()} ignores {quoted(keyword)} beside $ref."
    fix = f'Put both into "allOf", or declare "$schema": {quoted(DIALECT_2020_12.uri)}.'
    return place.below(keyword).warning("record-keyword", message, fix, at_key=True)
