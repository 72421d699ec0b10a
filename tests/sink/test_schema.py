"""The fast answer of the effective schema is the schema's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from compiler.emit.sink import sink_plan
from sink_runtime.plan import read
from sink_runtime.records.decoder import decode
from sink_runtime.records.schema import EffectiveSchema
from tests.golden.build import HERE
from tests.record.strategies import dataset_of, json_text, manifests, records
from tests.sink.messages import alert

PLAN = read((HERE / "alert_events" / "sink_plan.json").read_bytes())
SCHEMA = EffectiveSchema(PLAN)

digits = st.text("0123456789", min_size=1, max_size=9)
numbers = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{int(whole)}{fraction}{exponent}",
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), digits.map(lambda text: "." + text)),
    st.sampled_from(["", "e0", "e-4", "e-5", "e3", "E-2"]),
)
instants = st.builds(
    lambda year, second, fraction, zone: f"{year}-06-30T23:59:{second}{fraction}{zone}",
    st.sampled_from(["0000", "0001", "0002", "1999", "2024", "9998", "9999"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["", ".0", ".123456", ".1234567", "."]),
    st.sampled_from(["Z", "z", "+00:00", "-15:59", "+16:00", "+05:60", "-00:00", ""]),
)


def agree(schema: EffectiveSchema, text: str) -> None:
    """What it takes for ordinary it admits, of whatever the decoder finds nothing wrong with."""
    value, inspect = decode(text.encode(), 10**6, 512)
    if not inspect:
        assert not schema.are_ordinary([value]) or schema.admits(value), text


@given(numbers, instants)
@example("0.1", "2024-06-30T23:59:59Z")
@example("99999999.9999", "2016-12-31T23:59:60Z")
@example("1e400", "2024-06-30T23:59:59.1234567Z")
@settings(max_examples=300)
def test_numbers_and_instants_at_every_edge(number: str, instant: str) -> None:
    agree(SCHEMA, json.dumps(alert(raised_at=instant, value=7777)).replace("7777", number))


@given(st.lists(st.tuples(numbers, instants), min_size=2, max_size=4))
@example([("1", "2024-06-30T23:59:59Z"), ("0.5", "2024-06-30T23:59:59Z\n2024-06-30T23:59:59Z")])
@example([("1", "2024-06-30T23:59:59Z"), ("1", "2024-06-30T23:59:59.1234567Z")])
@example([("0.5", "2024-06-30T23:59:59Z"), ("0.12345", "2024-06-30T23:59:59Z")])
@settings(max_examples=200)
def test_records_together_are_ordinary_if_each_is(edges: list[tuple[str, str]]) -> None:
    texts = [
        json.dumps(alert(raised_at=instant, value=7777)).replace("7777", number) for number, instant in edges
    ]
    decoded = [decode(text.encode(), 10**6, 512) for text in texts]
    values = [value for value, inspect in decoded if not inspect]
    if values:
        assert SCHEMA.are_ordinary(values) == all(SCHEMA.are_ordinary([value]) for value in values)


@pytest.mark.parametrize(
    "record",
    [
        None,
        5,
        "text",
        [],
        {},
        alert(value=True),
        alert(value="1.5"),
        alert(value=[1.5]),
        alert(raised_at=""),
        alert(raised_at=None),
        alert(raised_at=5),
        alert(labels=None),
        alert(labels={"a": "b"}),
        alert(labels={"a": 5}),
        alert(surprise=1),
    ],
)
def test_values_of_any_kind(record: Any) -> None:
    agree(SCHEMA, json.dumps(record))


@given(data=st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_records_of_any_manifest(data: st.DataObject) -> None:
    dataset = dataset_of(data.draw(manifests()))
    schema = EffectiveSchema(sink_plan(dataset, ()))
    agree(schema, json_text(data.draw(records(dataset))))


def test_the_ordinary_record_never_meets_the_whole_schema() -> None:
    """Else every record would cost several times as much, and no other test would notice."""
    schema = EffectiveSchema(PLAN)
    schema._whole = None  # type: ignore[assignment]
    assert schema.are_ordinary(
        [alert(value=1.5, labels={"a": "b"}), alert(raised_at="2024-05-01T14:00:00+02:00")]
    )


def test_a_plan_of_another_shape_is_judged_by_all_of_it() -> None:
    schema = EffectiveSchema(replace(PLAN, effective={"type": "object"}))
    assert schema.are_ordinary([{}, {}])
    assert not schema.are_ordinary([{}, 5, {}])
