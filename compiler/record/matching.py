"""A few strings that a regular expression may match: guesses, which the caller proves with the validator.

A pattern is walked as text. What the walk does not know (look-around, back-references) is guessed as nothing, so a guess
may be wrong, but the same pattern always gives the same guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce

_MOST = 24
_LONGEST = 2_000
_QUANTIFIER = re.compile(r"(?:([?*+])|\{(\d+)(?:(,)(\d*))?\})[?+]?")
_GROUP = re.compile(r"\?(?:[:=!]|<[=!]|<\w+>)")
_HEX = re.compile(r"u\{([0-9A-Fa-f]+)\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})")
_CATEGORY = re.compile(r"[pP]\{[^}]*\}")
_CLASSES = {"d": "09", "w": "aZ0_", "s": " \t", "D": "a-", "W": "-é", "S": "a-"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")  # the decoder refuses them
_POOL = "a0Z-_ .é!"


def matching(pattern: str, lengths: Iterable[int] = ()) -> tuple[str, ...]:
    """Strings that `pattern` may match, the plainest first; none where it cannot be walked.

    `lengths` are numbers of repetitions to try where the pattern leaves them open.
    """
    walk = _Walk(pattern, tuple(lengths))
    try:
        return _first(walk.branches())
    except IndexError:
        return ()


def _first(texts: Iterable[str]) -> tuple[str, ...]:
    short = (text for text in dict.fromkeys(texts) if len(text) <= _LONGEST)
    return tuple(text for text in short if not _UNSENDABLE.search(text))[:_MOST]


class _Walk:
    """Recursive descent; each method returns the strings of what it walked over."""

    def __init__(self, text: str, lengths: tuple[int, ...]) -> None:
        self.text = text
        self.lengths = lengths
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def skip(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        found = expression.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def branches(self) -> tuple[str, ...]:
        found = [self.branch()]
        while self.peek() == "|":
            self.take()
            found.append(self.branch())
        plain = [texts[0] for texts in found if texts]
        return _first([*plain, *(text for texts in found for text in texts)])

    def branch(self) -> tuple[str, ...]:
        parts = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self.quantified(self.atom()))
        return _joined([part for part in parts if part])

    def atom(self) -> Sequence[str]:
        match self.take():
            case "(":
                group = self.skip(_GROUP)
                inner = self.branches()
                self.take()
                return ("",) if group and group[0][-1] in "=!" else inner
            case "[":
                return self.set()
            case "\\":
                return self.escape()
            case ".":
                return "a0é"
            case "^" | "$":
                return ("",)
            case character:
                return character

    def escape(self) -> Sequence[str]:
        if code := self.skip(_HEX):
            return chr(int(code[1] or code[2] or code[3], 16))
        if self.skip(_CATEGORY):
            return "aZé0-"
        character = self.take()
        if character in "bB":
            return ("",)
        return _CLASSES.get(character) or _CONTROLS.get(character, character)

    def set(self) -> Sequence[str]:
        negated = self.peek() == "^"
        if negated:
            self.take()
        members: list[str] = []
        while self.peek() != "]":
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1] != "]":
                self.take()
                members += [low[0], self.member()[-1]]
            else:
                members += low
        self.take()
        return [c for c in _POOL if c not in members] if negated else members

    def member(self) -> Sequence[str]:
        character = self.take()
        return self.escape() if character == "\\" else character

    def quantified(self, atom: Sequence[str]) -> tuple[str, ...]:
        found = self.skip(_QUANTIFIER)
        if not found or not atom:
            return tuple(atom)
        low, high = _times(found)
        tries = [low, low + 1, *self.lengths, high]
        counts = [count for count in tries if low <= count <= min(high, _LONGEST)]
        return _first([*(text * low for text in atom), *(atom[0] * n for n in counts), *atom[: high > 0]])


def _times(found: re.Match[str]) -> tuple[int, int]:
    sign, low, comma, high = found.groups()
    if sign:
        return {"?": (0, 1), "*": (0, _LONGEST + 1), "+": (1, _LONGEST + 1)}[sign]
    return int(low), int(high) if high else (_LONGEST + 1 if comma else int(low))


def _joined(parts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The plainest of each part in a row; then each other choice of one part, all else plain; then all of the last."""
    plain = [part[0] for part in parts]
    found = ["".join(plain)]
    for index, part in enumerate(parts):
        found += ["".join([*plain[:index], choice, *plain[index + 1 :]]) for choice in part[1:]]
    full = reduce(lambda text, part: text + part[-1], parts, "")
    return _first([found[0], full, *found])
