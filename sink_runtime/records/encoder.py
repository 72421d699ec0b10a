"""JSON value -> bytes, exactly: decimals keep their digits, and a dead letter keeps its numbers as they came."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from sink_runtime.records.decoder import Json


def encode(value: Json) -> bytes:
    """Compact UTF-8 JSON, mathematically equal to `value`. Raises TypeError for what is not JSON."""
    try:
        return orjson.dumps(value, default=_fragment)
    except TypeError:  # orjson stops at 254 levels
        return _deeply(value)


def as_it_came(body: bytes) -> Json:
    """A decodable body's value with each number as the text that it was; only `encode` can read the numbers."""
    return json.loads(body, parse_float=orjson.Fragment, parse_int=orjson.Fragment)


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _deeply(value: Json) -> bytes:
    """Without recursion: a stack of what is still to be written, punctuation as bytes among the values."""
    written: list[bytes] = []
    stack: list[Any] = [value]
    while stack:
        match stack.pop():
            case bytes() as punctuation:
                written.append(punctuation)
            case dict() as members:
                pairs = [(b",", orjson.dumps(key) + b":", member) for key, member in members.items()]
                stack += [b"}", *_reversed_parts(pairs), b"{"]
            case list() as items:
                stack += [b"]", *_reversed_parts([(b",", item) for item in items]), b"["]
            case scalar:
                written.append(orjson.dumps(scalar, default=_fragment))
    return b"".join(written)


def _reversed_parts(groups: list[tuple[Any, ...]]) -> list[Any]:
    """The groups' parts last to first, without the comma of the first group."""
    return [part for group in groups for part in group][:0:-1]
