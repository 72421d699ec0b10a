r"""The regular expressions on which Postgres and JSON Schema agree.

Anchors at the ends of the whole pattern's branches, ASCII literals, escaped ASCII punctuation, bracket sets of ASCII
characters and ranges, groups, `|`, `?`, `*`, `+` and bounds up to 255. Outside of it the two differ: `.`, `\w`, `\s` and
negated sets see other characters, and some patterns Postgres does not take at all. Measured on PostgreSQL 15 to 18.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

MAX_BOUND = 255
# Nested bounds multiply; Postgres refuses what grows too large ("regular expression is too complex").
MAX_EXPANDED = 2_000

_LITERALS = frozenset(string.ascii_letters + string.digits + " !\"#%&',-/:;<=>@_`~")
_PUNCTUATION = frozenset(string.punctuation)
_SET_LITERALS = frozenset(chr(code) for code in range(0x20, 0x7F)) - frozenset("[]\\^-")
_QUANTIFIER = re.compile(r"[?*+]|\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")
_SET_ESCAPES = frozenset(string.punctuation)


class _Outside(Exception):  # noqa: N818 - a signal within this module
    pass


@lru_cache(maxsize=4096)
def agrees(pattern: str) -> bool:
    """Does the pattern mean the same to Postgres (`~`, in UTF8) as to JSON Schema?"""
    parser = _Parser(pattern)
    try:
        size = parser.branches(outermost=True)
    except _Outside:
        return False
    return parser.at == len(pattern) and size <= MAX_EXPANDED


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, expected: str = "") -> str:
        found = self.peek()
        if not found or (expected and found != expected):
            raise _Outside
        self.at += 1
        return found

    def branches(self, *, outermost: bool) -> int:
        """One or more branches; returns how many atoms they expand to."""
        size = self.branch(outermost=outermost)
        while self.peek() == "|":
            self.take()
            size += self.branch(outermost=outermost)
        return size

    def branch(self, *, outermost: bool) -> int:
        size = 0
        if outermost and self.peek() == "^":
            self.take()
        while self.peek() not in {"", "|", ")", "$"}:
            size += self.atom() * self.quantifier()
        if outermost and self.peek() == "$":
            self.take()
            if self.peek() not in {"", "|"}:
                raise _Outside
        if size == 0:
            raise _Outside  # an empty branch
        return size

    def atom(self) -> int:
        match self.take():
            case "(":
                if self.peek() == "?":
                    self.take()
                    self.take(":")
                size = self.branches(outermost=False)
                self.take(")")
                return size
            case "[":
                return self.bracket_set()
            case "\\":
                return self.escape(_PUNCTUATION)
            case character if character in _LITERALS:
                return 1
            case _:
                raise _Outside

    def quantifier(self) -> int:
        found = _QUANTIFIER.match(self.text, self.at)
        if not found:
            return 1
        self.at = found.end()
        if _QUANTIFIER.match(self.text, self.at):
            raise _Outside  # lazy and possessive forms
        return _times(found)

    def bracket_set(self) -> int:
        if self.peek() in {"^", "]"}:
            raise _Outside
        while self.peek() != "]":
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] != "]":
                self.take()
                if self.member() < low:
                    raise _Outside
        self.take("]")
        return 1

    def member(self) -> str:
        character = self.take()
        if character == "\\":
            start = self.at
            self.escape(_SET_ESCAPES)
            return self.text[start]
        if character == "-":
            # A literal only at either end.
            if self.text[self.at - 2] != "[" and self.peek() != "]":
                raise _Outside
            return character
        if character not in _SET_LITERALS:
            raise _Outside
        return character

    def escape(self, allowed: frozenset[str]) -> int:
        if self.take() not in allowed:
            raise _Outside
        return 1


def _times(found: re.Match[str]) -> int:
    low, comma, high = found.groups()
    if low is None:
        return 1
    bounds = int(low), int(high or low)
    if max(bounds) > MAX_BOUND or bounds[0] > bounds[1] or (comma and not high and bounds[0] == 0):
        raise _Outside
    return max(bounds[1], 1)
