"""A file of JSON Lines or one JSON array, read as records that keep their exact text.

The text is what goes into the message: a number is never printed again, so it arrives as it was written.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO

from compiler.canonical import Json

_WHITE = re.compile(r"[ \t\r\n]*")
# JSON allows these two, XML 1.0 (and so SQS) does not; as an escape they pass.
_NOT_XML = re.compile("[\ufffe\uffff]")


class RecordsError(ValueError):
    """The file is not JSON Lines and not a JSON array; the text names the place."""


@dataclass(frozen=True)
class Record:
    """One record: its exact JSON text, its value (numbers as int or Decimal), and the line where it begins."""

    line: int
    text: str
    value: Json


def digest(file: BinaryIO) -> str:
    """sha256 hex of the whole file, read in pieces; the position is back at the start afterwards."""
    found = hashlib.sha256()
    for piece in iter(lambda: file.read(1 << 20), b""):
        found.update(piece)
    file.seek(0)
    return found.hexdigest()


def read(file: BinaryIO) -> Iterator[Record]:
    """The file's records in order, from its start: one array, one record over several lines, or JSON Lines.

    Raises RecordsError at the first place that is not JSON, with its line.
    """
    file.seek(0)
    head = file.read(4096)
    file.seek(0)
    if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
        yield from _array(_decode(file.read(), 1))
        return
    for line, raw in enumerate(file, start=1):
        text = _decode(raw, line).strip()
        if line == 1 and text.startswith("{") and not _is_json(text):
            yield _only_record(file)
            return
        if text:
            yield _whole(text, line)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _only_record(file: BinaryIO) -> Record:
    """A file whose first line is only the beginning of a record holds that one record."""
    file.seek(0)
    try:
        return _whole(_decode(file.read(), 1).strip(), 1)
    except RecordsError as error:
        raise RecordsError(
            f"{error} The file is neither JSON Lines, nor one array, nor one record."
        ) from error


def _whole(text: str, line: int) -> Record:
    value, end = _decode_at(text, 0, line)
    if end != len(text):
        raise RecordsError(
            f"line {line}: there is more than one JSON value on the line (at column {end + 1})."
        )
    return Record(line, _for_sqs(text), value)


def _array(text: str) -> Iterator[Record]:
    """The elements of one JSON array, each with its own slice of the text."""
    position = _skip(text, text.index("[") + 1)
    line, counted = 1, 0
    if text[position : position + 1] == "]":
        _nothing_after(text, position + 1)
        return
    while True:
        line, counted = line + text.count("\n", counted, position), position
        value, end = _decode_at(text, position, line)
        yield Record(line, _for_sqs(text[position:end]), value)
        position = _skip(text, end)
        match text[position : position + 1]:
            case ",":
                position = _skip(text, position + 1)
            case "]":
                _nothing_after(text, position + 1)
                return
            case found:
                line += text.count("\n", counted, position)
                raise RecordsError(
                    f"line {line}: expected ',' or ']' after a record, found {found or 'the end'!r}."
                )


def _nothing_after(text: str, position: int) -> None:
    if _skip(text, position) != len(text):
        raise RecordsError("there is something after the array's closing ']'.")


def _skip(text: str, position: int) -> int:
    match = _WHITE.match(text, position)
    return match.end() if match else position


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def _decode_at(text: str, position: int, line: int) -> tuple[Json, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        raise RecordsError(
            f"line {line + error.lineno - 1 if position == 0 else error.lineno}: {error.msg}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecordsError(f"line {line}: {error}.") from error


def _decode(raw: bytes, line: int) -> str:
    try:
        return raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise RecordsError(f"line {line}: not UTF-8 ({error.reason} at byte {error.start}).") from error


def _for_sqs(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
