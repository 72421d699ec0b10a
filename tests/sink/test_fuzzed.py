"""The campaigns in small: fuzzed bodies judged as the oracle does, and the places where a sink can be killed."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.emit.sink import sink_plan
from sink_runtime.records.admission import Admission
from tests.campaigns.sink import strict_json
from tests.campaigns.sink.fuzz_bodies import body
from tests.campaigns.sink.fuzz_dataset import fuzzed
from tests.campaigns.sink.fuzz_oracle import MAX_BYTES, MAX_DEPTH, Verdict, judge
from tests.campaigns.sink.killable import PLACES
from tests.sink.messages import Message, numbered

BODIES = 1000

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


def test_fuzzed_bodies_are_judged_as_the_oracle_judges_them() -> None:
    plan = replace(sink_plan(fuzzed(), ()), max_message_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    admission = Admission(plan)
    texts = [body("suite", number) for number in range(BODIES)]
    messages = [
        Message(body=text.encode(), message_id=numbered(number)).received()
        for number, text in enumerate(texts)
    ]
    tens = (messages[start : start + 10] for start in range(0, BODIES, 10))
    deliveries = (delivery for ten in tens for delivery in admission.read_all(ten))
    kinds = set()
    for number, (text, message, delivery) in enumerate(zip(texts, messages, deliveries, strict=True)):
        verdict = judge(text)
        found = {one.index: str(one.rejection.reason) for one in delivery.refused}
        kinds |= set(found.values())
        assert _agrees(verdict, found), f"body {number}: {found}, not {verdict}"
        if not verdict.whole:
            assert delivery.identity == (verdict.identity or message.message_id)
            good = [one for one in verdict.records if not one.reasons]
            assert list(delivery.positions) == [one.position for one in good]
            assert _sizes(delivery.payload) == [_size(one.value) for one in good], number
    assert len(kinds) >= 9, "the bodies are of many kinds"


def test_bare_records_read_together_are_read_as_each_alone() -> None:
    plan = replace(
        sink_plan(fuzzed(), ()), max_message_bytes=MAX_BYTES, max_depth=MAX_DEPTH, buffer_format="record"
    )
    admission = Admission(plan)
    texts = [body("bare", number) for number in range(BODIES)]
    records = [
        text[text.find("[") + 1 : text.rfind("]")] for text in texts
    ]  # of most, what one envelope held
    messages = [
        Message(body=(record or text).encode(), message_id=numbered(number)).received()
        for number, (record, text) in enumerate(zip(records, texts, strict=True))
    ]
    tens = [messages[start : start + 10] for start in range(0, BODIES, 10)]
    found = [one for ten in tens for one in admission.read_all(ten)]
    assert found == [admission.read(message) for message in messages]
    assert {len(one.refused) for one in found} == {0, 1}


def _agrees(verdict: Verdict, found: dict[int | None, str]) -> bool:
    if verdict.whole:
        return found.keys() == {None} and found[None] in verdict.whole
    wanted = {index: one.reasons for index, one in enumerate(verdict.records) if one.reasons}
    return found.keys() == wanted.keys() and all(found[index] in wanted[index] for index in wanted)


def _sizes(payload: bytes) -> list[int]:
    """How many values each record holds: what they are is compared where they are stored."""
    records: list[Any] = strict_json.read(f"[{payload.decode()}]").value
    return [_size(record) for record in records]


def _size(record: Any) -> int:
    count, level = 0, [record]
    while level:
        value = level.pop()
        count += 1
        level += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return count


@given(VALUES)
def test_the_oracle_s_reader_reads_what_python_writes(value: Any) -> None:
    text = json.dumps(value)
    wanted = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    assert strict_json.read(text).value == wanted


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,]", '{"a":1,}', "{a:1}", "[1 2]", "NaN", "-", "01", "1.", ".5", "+1", "'a'", '"\t"', '"\\x"', "[]]", "1 1",
     '{"a" 1}', '{"a":}', "[,]", "nul", "\ufeff1", "[1}", '{"a":1]', "// a\n1"],
)  # fmt: skip
def test_the_oracle_s_reader_takes_nothing_but_json(text: str) -> None:
    with pytest.raises(strict_json.NotJsonError):
        strict_json.read(text)


def test_each_place_where_a_sink_is_killed_is_there() -> None:
    assert [
        name for name, place in PLACES.items() if not callable(getattr(place.owner, place.method, None))
    ] == []
