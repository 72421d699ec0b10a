"""Do the sides of an operation go together? Postgres has no operator between a text and a number, and would say so too late.

Only what is certain is refused: a side whose type is not followed goes with everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from compiler.expressions.allowed import ARITHMETIC, COMPARISONS, JSON_TESTS, MATCHING

LITERAL = "a literal without a type"

_NUMBERS = frozenset(("smallint", "integer", "bigint", "numeric", "double precision"))
# What a literal without a type must look like beside a value of the kind; all others Postgres reads at run time too.
_LITERALS = {
    "number": re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"),
    "uuid": re.compile(r"\{?([0-9a-fA-F]{4}-?){8}\}?"),
    "boolean": re.compile(r"\s*(t|true|f|false|y|yes|n|no|on|off|1|0)\s*", re.IGNORECASE),
}
_TAKES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "lower",
            "upper",
            "btrim",
            "ltrim",
            "rtrim",
            "left",
            "right",
            "replace",
            "split_part",
            "reverse",
            "lpad",
        ),
        "text",
    ),
    **dict.fromkeys(
        ("rpad", "char_length", "character_length", "strpos", "ascii", "starts_with", "substr"), "text"
    ),
    **dict.fromkeys(
        ("abs", "ceil", "ceiling", "floor", "round", "trunc", "mod", "power", "sqrt", "sign", "div"), "number"
    ),
    **dict.fromkeys(
        (
            "jsonb_typeof",
            "jsonb_array_length",
            "jsonb_extract_path",
            "jsonb_extract_path_text",
            "jsonb_path_exists",
        ),
        "jsonb",
    ),
    **dict.fromkeys(("jsonb_path_match", "jsonb_path_query_first"), "jsonb"),
}


def kind(type_: str | None) -> str | None:
    """`number` for every numeric type, else the type itself; None for a literal and for what is not known."""
    if type_ is None or type_ == LITERAL:
        return None
    return "number" if type_.partition("(")[0] in _NUMBERS else type_


def mismatch(operator: str, types: Iterable[str | None], literals: Iterable[str]) -> str | None:
    """Why an operator cannot stand between values of these types and these literals, or None."""
    kinds = sorted({found for found in map(kind, types) if found})
    if operator in MATCHING:
        return _only("text", kinds)
    if operator in JSON_TESTS:
        left = kind(next(iter(types), None))
        return (
            None
            if left is None or left == "jsonb" or left.endswith("[]")
            else f"is of {left}, not of jsonb or an array"
        )
    if operator in ARITHMETIC:
        return _arithmetic(operator, kinds)
    return alike(kinds, literals) if operator in COMPARISONS else None


def alike(types: Iterable[str | None], literals: Iterable[str]) -> str | None:
    """Why values of these types and these literals cannot be compared, or None."""
    kinds = sorted({found for found in map(kind, types) if found})
    if len(kinds) > 1:
        return f"compares {kinds[0]} with {kinds[1]}"
    pattern = _LITERALS.get(kinds[0]) if kinds else None
    wrong = next((text for text in literals if pattern and not pattern.fullmatch(text)), None)
    return None if wrong is None else f"compares {kinds[0]} with '{wrong}'"


def argument(function: str, types: list[Any]) -> str | None:
    """Why a function cannot take its first argument, or None."""
    wanted, found = _TAKES.get(function), kind(types[0]) if types else None
    return None if wanted is None or found in {None, wanted} else f"gives {found} to a function of {wanted}"


def _only(wanted: str, kinds: list[str]) -> str | None:
    other = next((found for found in kinds if found != wanted), None)
    return None if other is None else f"is of {other}, not of {wanted}"


def _arithmetic(operator: str, kinds: list[str]) -> str | None:
    if operator == "-" and "jsonb" in kinds:  # takes a key or an element out
        return None
    return next(
        (f"computes with {found}" for found in kinds if found in {"text", "boolean", "uuid", "jsonb"}), None
    )
