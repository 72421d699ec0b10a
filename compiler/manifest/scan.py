"""A strict JSON scanner that knows where everything stands; it runs only where a file has a problem.

It gives the offset of each value and each key, finds repeated keys, and says of a syntax error what is wrong in words
that do not change with Python's version. No library on PyPI does all three: json-source-map keeps one of two equal
keys, leaves escapes in key names and refuses a byte order mark; YAML composers refuse JSON's surrogate escapes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from compiler.problems import Pointer

MAX_DEPTH = 100

_SPACE = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_STRING_HEAD = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?![0-9A-Za-z_.+-])")
_LEADING_ZERO = re.compile(r"-?0[0-9]|\+[0-9.]|-?\.[0-9]|-?[0-9]+\.(?![0-9])")
_WORD = re.compile(r"[^\s\[\]{},:\"]++")
_LITERALS = frozenset(("true", "false", "null"))


class SyntaxFault(Exception):  # noqa: N818 - a fault in the user's file, not an error of ours
    """What is wrong at `offset` (characters from the start), and how to mend it."""

    def __init__(self, offset: int, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.fix = fix


@dataclass(frozen=True)
class Repeat:
    """A key that stands twice in one object: where the second one is, and where the first was."""

    pointer: Pointer
    offset: int
    first: int


@dataclass(frozen=True)
class Map:
    """Offsets in characters. Of equal keys the last counts, as in the parsed value."""

    values: dict[Pointer, int] = field(default_factory=dict)
    keys: dict[Pointer, int] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)
    strings: list[tuple[Pointer, int, str]] = field(default_factory=list)


def scan(text: str, whole: str = "file") -> Map:
    """The places of everything in a JSON document. Raises SyntaxFault at the first thing that is not JSON.

    `whole` is what the text is to its author: a fault at its end says so.
    """
    return _Scanner(text, whole).document()


class _Scanner:
    def __init__(self, text: str, whole: str) -> None:
        self._text = text
        self._whole = whole
        self._map = Map()

    def document(self) -> Map:
        start = self._skip(0)
        if start == len(self._text):
            raise SyntaxFault(start, f"The {self._whole} is empty.", "Write a JSON object.")
        end = self._skip(self._value(start, ()))
        if end < len(self._text):
            fix = "Write one record a line." if self._whole == "line" else "Remove it."
            raise SyntaxFault(end, "There is more text after the end of the document.", fix)
        return self._map

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _value(self, at: int, pointer: Pointer) -> int:
        if len(pointer) > MAX_DEPTH:
            raise SyntaxFault(at, f"The document is nested more than {MAX_DEPTH} levels deep.", "Flatten it.")
        self._map.values[pointer] = at
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, pointer)
            case "[":
                return self._array(at, pointer)
            case '"':
                return self._string(at, pointer)[1]
            case _:
                return self._scalar(at)

    def _object(self, at: int, pointer: Pointer) -> int:
        seen: dict[str, int] = {}
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "}":
            return at + 1
        while True:
            key, end = self._key(at, pointer, seen)
            colon = self._skip(end)
            if self._text[colon : colon + 1] != ":":
                raise SyntaxFault(colon, self._found(colon, f"a colon after the key {json.dumps(key)}"))
            end = self._value(self._skip(colon + 1), (*pointer, key))
            at, ended = self._next(end, "}")
            if ended:
                return at

    def _key(self, at: int, pointer: Pointer, seen: dict[str, int]) -> tuple[str, int]:
        if self._text[at : at + 1] != '"':
            raise SyntaxFault(at, self._found(at, "a key in double quotes"), self._key_hint(at))
        key, end = self._string(at, pointer)
        place = (*pointer, key)
        if key in seen:
            self._map.repeats.append(Repeat(place, at, seen[key]))
        seen.setdefault(key, at)
        self._map.keys[place] = at
        return key, end

    def _array(self, at: int, pointer: Pointer) -> int:
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "]":
            return at + 1
        index = 0
        while True:
            end = self._value(at, (*pointer, index))
            index += 1
            at, ended = self._next(end, "]")
            if ended:
                return at

    def _next(self, end: int, close: str) -> tuple[int, bool]:
        """After a member: the offset behind the closing bracket and True, or of the next member and False."""
        at = self._skip(end)
        match self._text[at : at + 1]:
            case found if found == close:
                return at + 1, True
            case ",":
                following = self._skip(at + 1)
                if self._text[following : following + 1] == close:
                    raise SyntaxFault(
                        at, f'There is a comma before the closing "{close}".', "Remove the comma."
                    )
                return following, False
            case '"' | "{" | "[":
                raise SyntaxFault(at, "A comma is missing before this.", "Separate the members with commas.")
            case _:
                raise SyntaxFault(at, self._found(at, f'"," or "{close}"'), self._hint(at))

    def _string(self, at: int, pointer: Pointer) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if not found:
            raise self._broken_string(at)
        value: str = json.loads(found.group())
        self._map.strings.append((pointer, at, value))
        return value, found.end()

    def _broken_string(self, at: int) -> SyntaxFault:
        head = _STRING_HEAD.match(self._text, at)
        end = head.end() if head else at
        match self._text[end : end + 1]:
            case "\\":
                bad = self._text[end : end + 2]
                return SyntaxFault(end, f"{bad} is no escape in JSON.", "Write a backslash as \\\\.")
            case "" | "\n" | "\r":
                return SyntaxFault(
                    at, "This string does not end on its line.", "Close it with a double quote."
                )
            case control:
                code = f"U+{ord(control):04X}"
                return SyntaxFault(
                    end,
                    f"A control character ({code}) stands in a string.",
                    f"Write it as \\u{ord(control):04x}.",
                )

    def _scalar(self, at: int) -> int:
        number = _NUMBER.match(self._text, at)
        if number:
            return number.end()
        word = _WORD.match(self._text, at)
        if word and word.group() in _LITERALS:
            return word.end()
        raise SyntaxFault(at, self._found(at, "a value"), self._hint(at))

    def _found(self, at: int, expected: str) -> str:
        word = _WORD.match(self._text, at)
        found = (word.group()[:40] if word else self._text[at : at + 1]) or f"the end of the {self._whole}"
        return f"Expected {expected}, found {found}."

    def _hint(self, at: int) -> str | None:
        rest = self._text[at : at + 9]
        if rest.startswith(("//", "/*", "#")):
            return "JSON has no comments; use the description fields."
        if rest.startswith("'"):
            return "Use double quotes."
        if rest.lstrip("+-").startswith(("NaN", "Infinity", "inf")):
            return "JSON has no NaN and no infinity."
        if _LEADING_ZERO.match(rest):
            return "JSON numbers have no leading zero, no leading plus and no bare point."
        if rest.startswith(("True", "False", "None", "undefined")):
            return "JSON writes true, false and null."
        return None

    def _key_hint(self, at: int) -> str | None:
        word = _WORD.match(self._text, at)
        if word and word.group().isidentifier():
            return f'Write "{word.group()}".'
        return self._hint(at)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Both from 1, the column in characters. LF, CRLF and a lone CR each end a line, as in editors."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
