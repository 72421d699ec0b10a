"""Dates, times, bytes and arrays: where the session's settings would decide what an expression means.

Comparing them is immutable between two of one type, or with a literal that leaves nothing open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pglast.stream import RawStream

from compiler.expressions.allowed import SESSION_TYPES
from compiler.expressions.kinds import LITERAL as _LITERAL
from compiler.expressions.refused import ExpressionRefused

_TIMESTAMP = "timestamp with time zone"
_TIME = "time with time zone"
_LITERALS = {
    "date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    _TIMESTAMP: re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:\d{2})?)"),
    _TIME: re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:\d{2})?)"),
}
_EXAMPLES = {
    "date": "'2026-01-31'",
    _TIMESTAMP: "'2026-01-31T00:00:00Z'",
    _TIME: "'12:00:00Z'",
}
NO_COMPARISON = "Compare columns of one type, or give the literal with its date and offset."


def shown(node: Any) -> str:
    """The part of the expression as SQL, cut off where it is long."""
    text = str(RawStream()(node))
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_one_type(node: Any, operands: list[Any], types: list[str | None]) -> None:
    """Comparing a date or time with another type, or with a literal that leaves something open, asks the session."""
    dated = {found for found in types if found in SESSION_TYPES}
    if not dated:
        return
    others = {found for found in types if found not in dated and found != _LITERAL}
    if len(dated) > 1 or others:
        raise ExpressionRefused(
            f"{shown(node)} compares different types by the session's settings.", NO_COMPARISON
        )
    require_fixed(
        [part for part, found in zip(operands, types, strict=True) if found == _LITERAL], dated.pop()
    )


def require_fixed(literals: Iterable[Any], target: str) -> None:
    """Raise ExpressionRefused for a literal that is another date or time in another session."""
    element = target.removesuffix("[]")
    for literal in literals:
        text = getattr(literal.val, "sval", None)
        if element not in _LITERALS or text is None:
            continue
        if element != target:
            raise ExpressionRefused(
                f"'{text}' as a {target} may mean another one in another session.",
                f"Compare single elements: {_EXAMPLES[element]} = ANY (column).",
            )
        if not _LITERALS[target].fullmatch(text):
            raise ExpressionRefused(
                f"'{text}' means another {target} in another session, or on another day.",
                f"Write it in full, such as {_EXAMPLES[target]}.",
            )


def computed(node: Any, name: str, types: list[str | None]) -> str | None:
    """Arithmetic on dates is immutable between two of one type, and between a date and an integer."""
    dated = {found for found in types if found in SESSION_TYPES}
    if not dated:
        return next((found for found in types if found not in {_LITERAL, None}), None)
    kind = dated.pop()
    if not dated and name == "-" and types == [kind, kind] and kind in {"date", _TIMESTAMP}:
        return "integer" if kind == "date" else "interval"
    if (
        not dated
        and kind == "date"
        and name in {"+", "-"}
        and types in (["date", "integer"], ["integer", "date"])
    ):
        return "date"
    raise ExpressionRefused(f"{shown(node)} cannot be computed in every session alike.", NO_COMPARISON)
