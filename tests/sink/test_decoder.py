"""What is decoded strictly, and what comes out equal."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sink_runtime.records.decoder import decode, decode_plain, fault_of
from sink_runtime.records.encoder import as_it_came, encode
from sink_runtime.records.reasons import Reason, RejectedError

MAX_BYTES = 1_040_384
MAX_DEPTH = 512


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"not json", Reason.NOT_JSON),
        (b'{"a": 1,}', Reason.NOT_JSON),
        (b'{"a": 1} {"a": 2}', Reason.NOT_JSON),
        (b"[01]", Reason.NOT_JSON),
        (b'["\t"]', Reason.NOT_JSON),
        (b"['a']", Reason.NOT_JSON),
        (b"[NaN]", Reason.NOT_JSON),
        (b"[Infinity]", Reason.NOT_JSON),
        (b"[-Infinity, 1234567890123456789]", Reason.NOT_JSON),
        (b"\xef\xbb\xbf{}", Reason.INVALID_ENCODING),
        (b'["\xff"]', Reason.INVALID_ENCODING),
        (b'["\xed\xa0\x80"]', Reason.INVALID_ENCODING),
        (b'["\\ud800"]', Reason.INVALID_ENCODING),
        (b'["\\udc00\\ud800", 1234567890123456789]', Reason.INVALID_ENCODING),
        (b'{"\\ud800": 1}', Reason.INVALID_ENCODING),
        (b'{"a": ["\\ud800"], "a": 1}', Reason.INVALID_ENCODING),
        (nested(100_000), Reason.TOO_DEEP),
        (b" " * (MAX_BYTES + 1), Reason.BODY_TOO_LARGE),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
def test_bodies_that_are_rejected_whole(body: bytes, reason: Reason) -> None:
    with pytest.raises(RejectedError) as raised:
        decode(body, MAX_BYTES, MAX_DEPTH)
    assert raised.value.rejection.reason is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'["\\u0000"]', Reason.NUL_CHARACTER),
        (b'{"a": [{"b\\u0000c": 1}]}', Reason.NUL_CHARACTER),
        (b'["\\\\u0000"]', None),
        (b"[1e131071, -1e131071, 1e-16383]", None),
        (b"[1e131072]", Reason.NUMBER_OUT_OF_RANGE),
        (b"[-1e131072]", Reason.NUMBER_OUT_OF_RANGE),
        (b"[1e-16384]", Reason.NUMBER_OUT_OF_RANGE),
        (b"[0e-16384]", Reason.NUMBER_OUT_OF_RANGE),
        (b"[" + b"9" * 131_072 + b"]", None),
        (b"[" + b"9" * 131_073 + b"]", Reason.NUMBER_OUT_OF_RANGE),
        (b"[1e9999999999999999999999]", Reason.NUMBER_OUT_OF_RANGE),
        (nested(MAX_DEPTH), None),
        (nested(MAX_DEPTH + 1), Reason.TOO_DEEP),
        (b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH, None),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), Reason.TOO_DEEP),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
def test_values_that_cannot_be_stored(body: bytes, reason: Reason | None) -> None:
    value, inspect = decode(body, MAX_BYTES, MAX_DEPTH)
    fault = fault_of(value, MAX_DEPTH) if inspect else None
    assert (fault and fault.reason) is reason


@pytest.mark.parametrize(
    "number",
    [
        "9007199254740993",
        "123456789012345678901234567890",
        "-123456789012345678901234567890.5",
        "100.00000000000000001",
        "0.1234567890123456789",
        "123456789012345.123456789012345",
        "90071992.54740993",
        "1e400",
        "1E-400",
        "-0.0",
        "1" * 5000,
        "18446744073709551616",
        "-9223372036854775809",
        "0.1",
        "1e22",
        "1.50",
    ],
)
def test_numbers_stay_exact(number: str) -> None:
    value = decode(f'{{"n": {number}}}'.encode(), MAX_BYTES, MAX_DEPTH)[0]
    again = json.loads(encode(value), parse_float=Decimal, parse_int=Decimal)["n"]
    assert again == Decimal(number)


@pytest.mark.parametrize("space", ["", " ", "\n", "\t", "\r"])
@pytest.mark.parametrize("before", ["[", "[0,", '{"a":', '{"a":[1,'])
@pytest.mark.parametrize("number", ["-1234567890123456789.5", "1e-400", "-1.5E+400"])
def test_an_inexact_number_is_found_wherever_it_stands(number: str, before: str, space: str) -> None:
    body = f"{before}{space}{number}{space}".encode()
    closed = body + b"".join({"[": b"]", "{": b"}"}[one] for one in reversed(before) if one in "[{")
    assert number.upper() in encode(decode(closed, MAX_BYTES, MAX_DEPTH)[0]).decode()


def test_digits_in_strings_cost_nothing() -> None:
    body = b'{"id": "6f1f0e123e456-1234567890123456789", "at": "2024-05-01T12:00:00.123456789Z", "n": 1.5}'
    value, inspect = decode(body, MAX_BYTES, MAX_DEPTH)
    assert not inspect
    assert isinstance(value["n"], float)


ODD = [
    b"1234567890123456",
    b"-1e-400",
    b'{"a":"\\u0000"}',
    b"[ 1.000000000000001 ]",
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    b" " * MAX_BYTES + b"1",
    b'"half',
    b"1,2",
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_body_that_is_not_plain_is_found_among_others(odd: bytes, place: int) -> None:
    others = [b'{"id":"5e12-3456789012345678"}', b"-1.5e22"]
    plain = [{"id": "5e12-3456789012345678"}, -1.5e22]
    assert decode_plain(others, MAX_BYTES, MAX_DEPTH) == plain
    assert decode_plain([*others[:place], odd, *others[place:]], MAX_BYTES, MAX_DEPTH) is None


def test_bodies_that_are_values_only_when_joined_are_not_plain() -> None:
    assert decode_plain([b'{"a":1},{"b":[2', b"3]}"], MAX_BYTES, MAX_DEPTH) is None


def test_the_last_of_duplicate_keys_wins_on_either_path() -> None:
    assert decode(b'{"a": 1, "a": 2}', MAX_BYTES, MAX_DEPTH)[0] == {"a": 2}
    assert decode(b'{"a": 1e400, "a": 2}', MAX_BYTES, MAX_DEPTH)[0] == {"a": 2}


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """JSON numbers of any spelling."""
    whole = draw(st.from_regex(r"-?(0|[1-9][0-9]{0,24})", fullmatch=True))
    fraction = draw(st.from_regex(r"(\.[0-9]{1,24})?", fullmatch=True))
    exponent = draw(st.from_regex(r"([eE][+-]?[0-9]{1,3})?", fullmatch=True))
    return whole + fraction + exponent


def mathematically(value: Any) -> Any:
    """A JSON value, its numbers by their value."""
    match value:
        case bool() | None | str():
            return value
        case list():
            return [mathematically(item) for item in value]
        case dict():
            return {key: mathematically(item) for key, item in value.items()}
        case _:
            return Decimal(value).normalize() if value else Decimal(0)


class Text(str):
    """A number as it is spelled."""

    __slots__ = ()


strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | strings | number_texts().map(Text),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
)


def spelled(value: Any) -> str:
    match value:
        case Text():
            return str(value)
        case list():
            return "[" + ",".join(map(spelled, value)) + "]"
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{spelled(item)}" for key, item in value.items()) + "}"
        case _:
            return json.dumps(value)


@given(documents)
def test_decoded_and_encoded_again_is_mathematically_equal(document: Any) -> None:
    body = spelled(document).encode()
    expected = mathematically(json.loads(body, parse_float=Decimal, parse_int=Decimal))
    again = encode(decode(body, MAX_BYTES, MAX_DEPTH)[0])
    assert mathematically(json.loads(again, parse_float=Decimal, parse_int=Decimal)) == expected


@given(documents)
def test_a_dead_letter_keeps_numbers_as_they_were_spelled(document: Any) -> None:
    body = spelled(document).encode()
    kept = encode(as_it_came(body))
    assert json.loads(kept, parse_float=str, parse_int=str) == json.loads(
        body, parse_float=str, parse_int=str
    )


@pytest.mark.parametrize("depth", [254, 255, 512, 900])
def test_deep_values_are_encoded(depth: int) -> None:
    body = b'{"a":[' * (depth // 2) + b"1.5,{}" + b"]}" * (depth // 2)
    assert encode(json.loads(body, parse_float=Decimal)) == body
