"""Prints a JSON value in a random layout and knows, by counting as it prints, where everything stands."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from compiler.problems import Pointer

Place = tuple[int, int]


@dataclass
class Printed:
    newline: str
    random: Random
    text: str = ""
    line: int = 1
    column: int = 1
    values: dict[Pointer, Place] = field(default_factory=dict)
    keys: dict[Pointer, Place] = field(default_factory=dict)

    def value(self, value: Any, pointer: Pointer = ()) -> None:
        self._space()
        self.values[pointer] = (self.line, self.column)
        match value:
            case dict():
                self._members("{", "}", [(key, (*pointer, key), item) for key, item in value.items()])
            case list():
                self._members("[", "]", [(None, (*pointer, index), item) for index, item in enumerate(value)])
            case _:
                self._put(self._scalar(value))
        self._space()

    def _members(self, opening: str, closing: str, members: list[tuple[str | None, Pointer, Any]]) -> None:
        self._put(opening)
        self._space()
        for index, (key, pointer, item) in enumerate(members):
            if index:
                self._put(",")
            if key is not None:
                self._space()
                self.keys[pointer] = (self.line, self.column)
                self._put(self._scalar(key))
                self._space()
                self._put(":")
            self.value(item, pointer)
        self._put(closing)

    def _scalar(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=self.random.random() < 0.3)

    def _space(self) -> None:
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            if self.random.random() < 0.4:
                self.text += self.newline
                self.line += 1
                self.column = 1
            else:
                self._put(self.random.choice((" ", "  ", "\t")))

    def _put(self, piece: str) -> None:
        self.text += piece
        self.column += len(piece)
