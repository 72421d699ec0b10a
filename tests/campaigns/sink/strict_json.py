"""A JSON reader of its own for the fuzzing oracle: RFC 8259 to the letter, numbers as decimals, no recursion.

It shares nothing with the readers that the sink uses, so that what both find is found twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:"
    r'(?P<string>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<sign>[][{}:,])"
    r"|(?P<end>\Z))"
)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}


class NotJsonError(Exception):
    """The text is not JSON."""


@dataclass
class Read:
    """A text's value; how deep its containers are, and whether any string of it holds half a surrogate pair."""

    value: Any
    depth: int
    has_half: bool


def read(text: str) -> Read:
    """The value of a text. Raises NotJsonError."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._has_half = False
        self._depth = 0

    def read(self) -> Read:
        stack: list[Any] = []  # open containers; for an object [dict, key]
        value, is_open = self._value(self._next())
        while True:
            if is_open:
                stack.append([value, None])
                self._depth = max(self._depth, len(stack))
                kind, token = self._next()
                if (kind, token) == ("sign", "]" if isinstance(value, list) else "}"):
                    stack.pop()
                else:
                    if isinstance(value, dict):
                        self._key(stack[-1], kind, token)
                        kind, token = self._next()
                    value, is_open = self._value((kind, token))
                    continue
            while stack:
                self._put(stack[-1], value)
                container = stack[-1][0]
                kind, token = self._next()
                if (kind, token) == ("sign", ","):
                    kind, token = self._next()
                    if isinstance(container, dict):
                        self._key(stack[-1], kind, token)
                        kind, token = self._next()
                    value, is_open = self._value((kind, token))
                    break
                if (kind, token) != ("sign", "]" if isinstance(container, list) else "}"):
                    raise NotJsonError
                value, is_open = stack.pop()[0], False
            else:
                if self._next()[0] != "end":
                    raise NotJsonError
                return Read(value, self._depth, self._has_half)

    def _next(self) -> tuple[str, str]:
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            raise NotJsonError
        self._place = found.end()
        return found.lastgroup or "end", found[found.lastgroup or "end"]

    def _value(self, token: tuple[str, str]) -> tuple[Any, bool]:
        """A scalar, or a container that is open."""
        match token:
            case "string", text:
                return self._string(text), False
            case "number", text:
                return _number(text), False
            case "word", text:
                return _WORDS[text], False
            case "sign", "[":
                return [], True
            case "sign", "{":
                return {}, True
        raise NotJsonError

    def _key(self, opened: list[Any], kind: str, token: str) -> None:
        if kind != "string" or self._next() != ("sign", ":"):
            raise NotJsonError
        opened[1] = self._string(token)

    def _put(self, opened: list[Any], value: Any) -> None:
        container, key = opened
        if isinstance(container, list):
            container.append(value)
        else:
            container[key] = value

    def _string(self, token: str) -> str:
        units = _ESCAPE.sub(
            lambda found: chr(int(found[1], 16)) if found[1] else _short(found[2]), token[1:-1]
        )
        whole = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self._has_half = self._has_half or "\ufffd" in whole.replace("\ufffd", "", units.count("\ufffd"))
        return whole


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what a decimal has: as far as it goes
        mantissa, _, exponent = text.lower().partition("e")
        return Decimal(f"{mantissa}E{'-' if exponent.startswith('-') else '+'}999999999999999")


def _short(letter: str) -> str:
    return _SHORT.get(letter, letter)
