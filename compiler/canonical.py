"""JSON values as canonical bytes, and their hashes.

RFC 8785 (JSON Canonicalization Scheme) with one addition: integers beyond 2**53, which I-JSON does not have and
RFC 8785 therefore cannot write, keep their exact digits. Bounds of a 64-bit column need them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

Json = (
    Any  # None | bool | int | float | str | list[Json] | dict[str, Json]; mypy has no useful recursive form.
)

_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_COMPACT = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
# orjson writes what RFC 8785 does but for whole floats and those with an exponent, NaN (a null) and the order of keys beyond
# ASCII. What may be one of these is left to another encoder. To look for numbers fast, whatever opens a value becomes a
# colon, and what an integer is made of goes: then a float is `:.` or `:e`, or a text looks so.
_OPENING = bytes.maketrans(b"[,", b"::")
_OF_INTEGERS = b"-0123456789"
_MARKED = re.compile(rb":[.e]")  # two searches of bytes for such short ones take three times as long
_INEXACT = re.compile(rb"[\[:,]-?[0-9]+(?:\.0(?![0-9])|(?:\.[0-9]+)?e)")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
# The standard library's encoder takes all floats, is ten times faster than rfc8785, and writes what RFC 8785 does but for whole floats, some exponents
# (1e-05 to 1e-09, 1e+16 to 1e+20) and the order of keys beyond ASCII. What may be one of these is encoded exactly.
_UNLIKE = re.compile(r"(?:^|[\[:,])-?[0-9]+(?:\.0(?![0-9])|(?:\.[0-9]+)?e(?:-0|\+(?:1[6-9]|20)(?![0-9])))")
_MARKS = (".0", "e-0", "e+1", "e+2")  # one of them is in whatever _UNLIKE finds
# orjson reads integers beyond 64 bits as floats. What may hold one, the lowest of 64 bits aside, is left to another decoder;
# digits are made equal to look for them.
_AS_0 = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = (b"0" * 20, b"-" + b"0" * 19)
_LOWEST = b"-9223372036854775808"
_SAFE_INTEGER = 2**53 - 1
_BIG = re.compile(rb'"\\u0000int:(-?[0-9]+)"')


def canonical(value: Json, *, finite: bool = False) -> bytes:
    """UTF-8 bytes of `value`: sorted keys, no white space, shortest numbers, integers exact.

    Who knows that each number is `finite` spares every null the question whether it was NaN.
    Raises ValueError where the value is not JSON (NaN, Infinity, lone surrogates, other types).
    """
    if plain := _plain(value, finite=finite):
        return plain
    try:
        text = _ENCODER.encode(value)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if text.isascii() and not (any(mark in text for mark in _MARKS) and _UNLIKE.search(text)):
        return text.encode()
    import rfc8785  # few values need it

    try:
        exact = rfc8785.dumps(_mark_big_integers(value))
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error
    return _BIG.sub(rb"\1", exact)


def _plain(value: Json, *, finite: bool) -> bytes | None:
    """The canonical bytes by the fastest encoder; None where another must decide."""
    try:
        data = orjson.dumps(value, option=_COMPACT)
    except TypeError:
        return None
    opened = b":" + data
    marks = opened.translate(_OPENING, _OF_INTEGERS)
    maybe_inexact = _MARKED.search(marks) and _INEXACT.search(opened)
    maybe_nan = not finite and b":null" in marks
    return None if maybe_inexact or maybe_nan or not data.isascii() else data


def parsed(text: str) -> Json:
    """The value of a JSON text, as the standard library reads it, integers exact. Raises ValueError."""
    data = text.encode()
    marks = data.replace(_LOWEST, b"0").translate(_AS_0)
    if not (_LONG[0] in marks or _LONG[1] in marks):
        try:
            return orjson.loads(data)
        except ValueError:
            pass  # the standard library says what is wrong, or reads it: NaN
    return json.loads(text)


def indented(value: Json) -> str:
    """The text in which JSON is committed and reviewed: sorted keys, an indent of two, one LF at the end."""
    try:
        return orjson.dumps(value, option=_INDENTED).decode()
    except TypeError:  # integers beyond 64 bits
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def sha256(value: Json) -> str:
    """`sha256:<64 hex>` of the canonical bytes."""
    return sha256_bytes(canonical(value))


def sha256_bytes(data: bytes) -> str:
    """`sha256:<64 hex>` of bytes as they are."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def short_id(value: Json) -> str:
    """The first 12 hex digits of the hash: the id of a structured expression."""
    return hashlib.sha256(canonical(value)).hexdigest()[:12]


def _mark_big_integers(value: Json) -> Json:
    match value:
        case bool():
            return value
        case int() if abs(value) > _SAFE_INTEGER:
            return f"\0int:{value}"
        case list() | tuple():
            return [_mark_big_integers(item) for item in value]
        case dict():
            return {key: _mark_big_integers(item) for key, item in value.items()}
        case _:
            return value


@dataclass(frozen=True)
class JsonDocument:
    """An immutable JSON value, held as its canonical text; `value` is a fresh copy each time."""

    text: str

    @classmethod
    def of(cls, value: Json, *, finite: bool = False) -> JsonDocument:
        """Freeze `value`. Raises ValueError where it is not JSON. `finite` as for `canonical`."""
        return cls(canonical(value, finite=finite).decode())

    @property
    def value(self) -> Json:
        """The value, parsed anew."""
        return parsed(self.text)

    @property
    def sha256(self) -> str:
        """`sha256:<64 hex>` of the text."""
        return sha256_bytes(self.text.encode())
