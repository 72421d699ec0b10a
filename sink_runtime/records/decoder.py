"""Body -> JSON value: strict, and with numbers that stay exact.

What is validated is what is stored. So a body whose numbers might not survive a double is read with decimals, and
what JSON parsers commonly let pass (NaN, a byte order mark, half a surrogate pair) is refused here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import repeat
from typing import Any, NoReturn

import orjson

from sink_runtime.records.reasons import Reason, RejectedError, Rejection

Json = Any  # None | bool | int | float | Decimal | str | list[Json] | dict[str, Json]

# A double gives back any decimal of up to 15 digits between 1e-99 and 1e99. A number of sixteen digits, a point among
# them counted, or with an exponent of three, may not survive. To find one fast, a body is reduced to its shape: digits
# and points become 0, what stands before a number becomes a comma, signs go. A find within a string only costs time.
_SHAPE = bytes.maketrans(b"123456789.E:[ \t\r\n", b"0000000000e,,,,,,")
_SIGNS = b"+-"
_INEXACT = re.compile(rb",0(?:0{15}|0*e000)")
_NUL = b"\\u0000"
_TOGETHER_BYTES = 256 * 1024  # of small bodies, looked at as one; larger ones would only be copied for it
_SAFE_DIGITS = 18  # an int of so many characters fits 64 bits, which is what orjson writes

# Of Postgres' numeric: digits before the point, and after it.
_NUMERIC_WEIGHT = 131_072
_NUMERIC_SCALE = 16_383


def decode_plain(bodies: Sequence[bytes], max_bytes: int, max_depth: int) -> list[Json] | None:
    """The values of bodies in which all is storable and every number exact; None where one of them may be otherwise.

    What is looked for in a body is looked for in all at once: none has it, if they have not joined by commas.
    """
    sizes = list(map(len, bodies))
    if not sizes or sum(sizes) > _TOGETHER_BYTES or max(sizes) > max_bytes:
        return None
    text = b",".join(bodies)
    if _may_be_inexact(text) or _may_hold_nul(text):
        return None
    if max(sizes) > 2 * max_depth and any(map(_may_be_deep, bodies, repeat(max_depth))):
        return None
    try:
        return list(map(orjson.loads, bodies))
    except orjson.JSONDecodeError:
        return None


def decode(body: bytes, max_bytes: int, max_depth: int) -> tuple[Json, bool]:
    """The body's JSON value, and whether something in it may not be storable, so that `fault_of` must be asked.

    Raises RejectedError where the body is too large, wrongly encoded or not JSON.
    """
    if len(body) > max_bytes:
        raise RejectedError(
            Reason.BODY_TOO_LARGE, f"the body has {len(body)} bytes, the limit is {max_bytes}"
        )
    if not _may_be_inexact(body):
        try:
            return orjson.loads(body), _may_hold_nul(body) or _may_be_deep(body, max_depth)
        except orjson.JSONDecodeError:
            pass  # the slower reader says why
    return _exactly(body), True


def _may_be_deep(body: bytes, max_depth: int) -> bool:
    return len(body) > 2 * max_depth and body.count(b"[") + body.count(b"{") > max_depth


def _may_be_inexact(body: bytes) -> bool:
    return _INEXACT.search(b"," + body.translate(_SHAPE, _SIGNS)) is not None


def _may_hold_nul(body: bytes) -> bool:
    return b"\\" in body and _NUL in body  # the first is as good as free


def _exactly(body: bytes) -> Json:
    """The value with decimals where a number needs them; also the judge of what orjson refused."""
    try:
        value = json.loads(
            body.decode(),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
        _encode(value)
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.INVALID_ENCODING, f"byte {error.start} is not UTF-8") from None
    except UnicodeEncodeError:
        raise RejectedError(Reason.INVALID_ENCODING, "a string holds half a surrogate pair") from None
    except json.JSONDecodeError as error:
        reason = Reason.INVALID_ENCODING if body.startswith(b"\xef\xbb\xbf") else Reason.NOT_JSON
        raise RejectedError(reason, f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise RejectedError(Reason.TOO_DEEP, "the body is nested too deeply to be read") from None
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """The last of equal keys counts; what the others hold is judged here, since nobody sees it any more."""
    found = dict(pairs)
    if len(found) < len(pairs):
        _encode(pairs)
    return found


def _encode(value: Json) -> None:
    """Raises UnicodeEncodeError where a string holds half a surrogate pair."""
    json.dumps(value, ensure_ascii=False, default=str).encode()


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _SAFE_DIGITS else Decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no decimal has; the record's fault is found by `fault_of`
        return Decimal("Infinity")


def _refuse_constant(name: str) -> NoReturn:
    raise RejectedError(Reason.NOT_JSON, f"{name} is not JSON")


def fault_of(record: Json, max_depth: int) -> Rejection | None:
    """What no column and no jsonb can hold: U+0000, numbers beyond numeric, nesting deeper than `max_depth`."""
    level = [record]
    for _ in range(max_depth + 1):
        containers = []
        for value in level:
            if isinstance(value, dict | list):
                containers.append(value)
            elif fault := _scalar_fault(value):
                return fault
        if not containers:
            return None
        level = []
        for container in containers:
            if isinstance(container, dict):
                level += container  # its keys, strings like any other
                level += container.values()
            else:
                level += container
    return Rejection(Reason.TOO_DEEP, f"the record is nested deeper than {max_depth}")


def _scalar_fault(value: Json) -> Rejection | None:
    if isinstance(value, str) and "\0" in value:
        return Rejection(Reason.NUL_CHARACTER, "a string or key holds U+0000")
    if isinstance(value, Decimal) and not _is_numeric(value):
        return Rejection(Reason.NUMBER_OUT_OF_RANGE, "a number is beyond what numeric holds")
    return None


def _is_numeric(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    return number.adjusted() < _NUMERIC_WEIGHT and -exponent <= _NUMERIC_SCALE
