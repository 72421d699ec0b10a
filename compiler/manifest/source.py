"""Reading a JSON file: its value, its places, and what is wrong with it as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path

from compiler.canonical import Json
from compiler.manifest.scan import MAX_DEPTH, Map, SyntaxFault, line_and_column, scan
from compiler.problems import Finding, Pointer, Problem, json_path

MAX_BYTES = 1024 * 1024
_EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Source:
    """One JSON file. `file` is its name as printed; `value` is None where it could not be parsed."""

    path: Path
    file: str
    text: str
    value: Json

    def locate(self, pointer: Pointer, at_key: bool = False) -> tuple[int, int]:  # noqa: FBT001, FBT002 - the interface's order
        """Line and column, from 1, of the value at `pointer` or of its key.

        Where there is nothing at `pointer` (a missing field, a default) it is the nearest value above it.
        """
        places = self._map
        while pointer not in places.values and pointer:
            pointer, at_key = pointer[:-1], False
        offset = places.values.get(pointer, 0)
        if at_key:
            offset = places.keys.get(pointer, offset)
        return line_and_column(self.text, offset)

    @cached_property
    def _map(self) -> Map:
        return scan(self.text)

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place in this file."""
        line, column = self.locate(finding.pointer, finding.at_key)
        return Problem(
            self.file,
            finding.rule,
            finding.message,
            json_path(finding.pointer),
            line,
            column,
            finding.fix,
            finding.severity,
        )


@dataclass(frozen=True)
class Parsed:
    """A file as read: its source and the problems that it has as JSON. With `usable` False there is no value."""

    source: Source
    problems: tuple[Problem, ...]
    usable: bool


def read(path: Path, file: str | None = None, *, exact: bool = False) -> Parsed:
    """Read and parse one file, which is printed as `file`.

    Numbers become int where they are whole (`1.0` is 1, as in JSON Schema), otherwise float, and one that a double
    cannot hold is a problem; with `exact` they become Decimal instead and keep every digit.
    """
    file = file or str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        fix = "Write it (sluice init makes one with examples), or remove the folder."
        return _unreadable(path, file, "There is no such file.", "missing-file", fix)
    except OSError as error:
        return _unreadable(path, file, f"The file cannot be read: {error.strerror}.", "unreadable-file")
    if len(data) > MAX_BYTES:
        return _unreadable(path, file, f"The file is larger than {MAX_BYTES:,} bytes.", "file-too-large")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        return _not_utf8(path, file, data, error)
    return _parse(path, file, text, exact=exact)


class _RepeatedKeyError(ValueError):
    """Stops the fast parser; the scanner then says where."""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RepeatedKeyError
    return value


def _constant(name: str) -> Json:
    raise ValueError(name)


def _float(text: str) -> Json:
    exact = _decimal(text)
    if abs(exact.adjusted()) < 400 and exact == exact.to_integral_value() and abs(exact) <= _EXACT_INTEGER:
        return int(exact)
    value = float(text)
    if math.isinf(value) or Decimal(repr(value)) != exact:
        raise ValueError(text)
    return value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent of 19 digits
        raise ValueError(text) from error


_PLAIN = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
_EXACT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_decimal)


def _parse(path: Path, file: str, text: str, *, exact: bool) -> Parsed:
    # Counting brackets bounds the depth from above without a scan; few manifests have more than MAX_DEPTH.
    deep = text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH
    if not deep:
        try:
            value = (_EXACT if exact else _PLAIN).decode(text)
        except ValueError:
            pass
        else:
            source = Source(path, file, text, value)
            problems = _unstorable(source) if "\\u" in text else ()
            return Parsed(source, problems, usable=not problems)
    return _diagnose(path, file, text, exact=exact)


def _depth(text: str) -> int:
    """The deepest nesting; brackets inside strings may count too, which errs towards the exact scan."""
    depth = deepest = 0
    for character in text:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _diagnose(path: Path, file: str, text: str, *, exact: bool) -> Parsed:
    """Say what the fast parser stumbled over; repeated keys alone still leave a usable value."""
    try:
        places = scan(text)
    except SyntaxFault as fault:
        return _fault(path, file, text, fault)
    try:
        value = json.loads(text, parse_float=_decimal if exact else _nearest)
    except ValueError:
        return _unreadable(path, file, "A number has too many digits.", "number-precision")
    source = Source(path, file, text, value)
    problems = (
        *_repeats(source, places),
        *(() if exact else _imprecise(source, places)),
        *_unstorable(source),
    )
    return Parsed(source, problems, usable=all(problem.rule == "duplicate-key" for problem in problems))


def _nearest(text: str) -> Json:
    try:
        return _float(text)
    except ValueError:
        return float(text)


def _repeats(source: Source, places: Map) -> tuple[Problem, ...]:
    found = []
    for repeat in places.repeats:
        line, column = line_and_column(source.text, repeat.offset)
        first = line_and_column(source.text, repeat.first)[0]
        found.append(
            Problem(
                source.file,
                "duplicate-key",
                f"The key {json.dumps(repeat.pointer[-1], ensure_ascii=False)} stands here again; it was on line {first}.",
                json_path(repeat.pointer),
                line,
                column,
                "Keep one of them.",
            )
        )
    return tuple(found)


def _imprecise(source: Source, places: Map) -> tuple[Problem, ...]:
    found = []
    for pointer, offset in places.values.items():
        text = _number_at(source.text, offset)
        if text is None:
            continue
        try:
            _float(text)
        except ValueError:
            line, column = line_and_column(source.text, offset)
            message = (
                f"The number {text[:60]} cannot be held exactly; double precision makes it {float(text):g}."
            )
            fix = "Give it with at most 15 significant digits, within 1e-307 and 1e308."
            found.append(
                Problem(source.file, "number-precision", message, json_path(pointer), line, column, fix)
            )
    return tuple(found)


def _number_at(text: str, offset: int) -> str | None:
    """The number with a fraction or an exponent that stands there, if one does."""
    end = offset
    while end < len(text) and text[end] in "+-.0123456789eE":
        end += 1
    found = text[offset:end]
    return found if found[:1] in "-0123456789" and any(mark in found for mark in ".eE") else None


def _unstorable(source: Source) -> tuple[Problem, ...]:
    """Escapes that JSON allows and that no database or UTF-8 file can hold."""
    found = []
    for pointer, offset, value in scan(source.text).strings:
        if "\0" in value:
            message = "The string holds U+0000, which Postgres cannot store."
        elif any("\ud800" <= character <= "\udfff" for character in value):
            message = "The string holds half of a surrogate pair, which is no Unicode text."
        else:
            continue
        line, column = line_and_column(source.text, offset)
        found.append(
            Problem(source.file, "bad-character", message, json_path(pointer), line, column, "Remove it.")
        )
    return tuple(found)


def _fault(path: Path, file: str, text: str, fault: SyntaxFault) -> Parsed:
    line, column = line_and_column(text, fault.offset)
    problem = Problem(file, "invalid-json", fault.message, "", line, column, fault.fix)
    return Parsed(Source(path, file, text, None), (problem,), usable=False)


def _unreadable(path: Path, file: str, message: str, rule: str, fix: str | None = None) -> Parsed:
    return Parsed(Source(path, file, "", None), (Problem(file, rule, message, fix=fix),), usable=False)


def _not_utf8(path: Path, file: str, data: bytes, error: UnicodeDecodeError) -> Parsed:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = "The file is UTF-16."
    else:
        message = f"The file is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start} begins no character."
    line, column = line_and_column(data[: error.start].decode().removeprefix("\ufeff"), error.start)
    problem = Problem(file, "not-utf-8", message, "", line, column, "Save it as UTF-8.")
    return Parsed(Source(path, file, "", None), (problem,), usable=False)
