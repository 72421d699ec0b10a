"""A file of JSON Lines or one JSON array, read as records that keep their exact text.

The text is what goes into the message: a number is never printed again, so it arrives as it was written.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import BinaryIO

from compiler.canonical import Json
from compiler.manifest.scan import SyntaxFault, line_and_column, scan
from compiler.problems import Problem

_WHITE = re.compile(r"[ \t\r\n]*")
# JSON allows these two, XML 1.0 (and so SQS) does not; as an escape they pass.
_NOT_XML = re.compile("[\ufffe\uffff]")


class RecordsError(ValueError):
    """The file cannot be read on from one place; `problem` says which, and what is wrong there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class Record:
    """One record: its exact JSON text, its value (numbers as int or Decimal), and the line and column where it begins."""

    line: int
    text: str
    value: Json
    column: int = 1

    def problem(self, found: Problem) -> Problem:
        """A problem with its place in this record's text, at its place in the file."""
        if found.line is None or found.column is None:
            return replace(found, line=self.line, column=self.column)
        column = found.column + (self.column - 1 if found.line == 1 else 0)
        return replace(found, line=self.line + found.line - 1, column=column)


def digest(file: BinaryIO) -> str:
    """sha256 hex of the whole file, read in pieces; the position is back at the start afterwards."""
    found = hashlib.sha256()
    for piece in iter(lambda: file.read(1 << 20), b""):
        found.update(piece)
    file.seek(0)
    return found.hexdigest()


def read(file: BinaryIO, name: str = "<stdin>") -> Iterator[Record | Problem]:
    """The file's records in order, from its start: one array, one record over several lines, or JSON Lines.

    A line that is no JSON comes as the problem that it has, in its place. Raises RecordsError where an array, or a
    record over several lines, is no JSON: what follows cannot be told apart. `name` is the file's in problems.
    """
    file.seek(0)
    head = file.read(4096)
    file.seek(0)
    if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
        yield from _array(_whole_text(file, name), name)
        return
    for line, raw in enumerate(file, start=1):
        found = _line(raw, line, name)
        if line == 1 and isinstance(found, Problem) and raw.removeprefix(codecs.BOM_UTF8)[:1] == b"{":
            one = _only_record(file, name)
            if one is not None:
                yield one
                return
        if found is not None:
            yield found


def _line(raw: bytes, line: int, name: str) -> Record | Problem | None:
    """What stands on one line; None where nothing does."""
    text = _decode(raw, line, name)
    if isinstance(text, Problem):
        return text
    before = len(text) - len(text.lstrip())
    text = text.strip()
    if not text:
        return None
    record = Record(line, text, None, before + 1)
    try:
        return replace(record, text=_for_sqs(text), value=_DECODER.decode(text))
    except (ArithmeticError, ValueError, RecursionError) as error:
        return record.problem(_fault(text, error, name, "line"))


def _only_record(file: BinaryIO, name: str) -> Record | None:
    """The record that the whole file is, if its first line is only the beginning of one.

    None where another line is a record by itself: then it is the first one that is wrong. Raises RecordsError.
    """
    rest = file.tell()
    text = _whole_text(file, name)
    try:
        return Record(1, _for_sqs(text.strip()), _DECODER.decode(text))
    except (ArithmeticError, ValueError, RecursionError) as error:
        if any(_is_record(line) for line in text.split("\n")[1:]):
            file.seek(rest)
            return None
        found = _fault(text, error, name, "file")
        message = f"{found.message} The file is neither JSON Lines, nor one array, nor one record."
        raise RecordsError(replace(found, message=message)) from None


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _array(text: str, name: str) -> Iterator[Record]:
    """The elements of one JSON array, each with its own slice of the text. Raises RecordsError."""
    position = _skip(text, text.index("[") + 1)
    line, begin, counted = 1, 0, 0
    ended = text[position : position + 1] == "]"
    while not ended:
        line, begin = (
            line + text.count("\n", counted, position),
            max(begin, text.rfind("\n", counted, position) + 1),
        )
        counted = position
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ArithmeticError, ValueError, RecursionError) as error:
            raise RecordsError(_fault(text, error, name, "file")) from None
        yield Record(line, _for_sqs(text[position:end]), value, position - begin + 1)
        position = _skip(text, end)
        match text[position : position + 1]:
            case ",":
                position = _skip(text, position + 1)
            case "]":
                ended = True
            case _:
                raise RecordsError(_fault(text, None, name, "file"))
    if _skip(text, position + 1) != len(text):
        raise RecordsError(_fault(text, None, name, "file"))


def _skip(text: str, position: int) -> int:
    match = _WHITE.match(text, position)
    return match.end() if match else position


def _refuse_constant(name: str) -> Json:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def _fault(text: str, error: Exception | None, name: str, whole: str) -> Problem:
    """What keeps the decoder from reading the text, with its place in it, in the words of `sluice check`."""
    if isinstance(error, RecursionError):
        return Problem(name, "invalid-json", "The record is nested too deeply.", fix="Flatten it.")
    try:
        scan(text, whole)
    except SyntaxFault as fault:
        line, column = line_and_column(text, fault.offset)
        return Problem(name, "invalid-json", fault.message, line=line, column=column, fix=fault.fix)
    return Problem(name, "number-precision", "A number has too many digits.", fix="Send it as a string.")


def _whole_text(file: BinaryIO, name: str) -> str:
    file.seek(0)
    text = _decode(file.read(), 1, name)
    if isinstance(text, Problem):
        raise RecordsError(text)
    return text


def _decode(raw: bytes, line: int, name: str) -> str | Problem:
    try:
        return raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = line + before.count("\n"), error.start - raw.rfind(b"\n", 0, error.start)
        message = f"The text is not UTF-8: byte 0x{raw[error.start]:02x} begins no character."
        return Problem(name, "not-utf-8", message, line=line, column=column, fix="Save it as UTF-8.")


def _for_sqs(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
