"""Dead letters: ready to be sent again, and telling why they are here."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from compiler.emit.sink import sink_plan
from compiler.operation import BufferFormat
from sink_runtime.pipeline.deadletters import TEXT_BYTES, DeadLetters
from sink_runtime.plan import SinkPlan
from sink_runtime.records.admission import Admission
from sink_runtime.sqs.queue import MAX_MESSAGE_BYTES, Outgoing
from tests.sink import datasets
from tests.sink.messages import Message, admitted, alert, monitored, numbered

ALERTS = sink_plan(datasets.alert_events(), ())
BARE = sink_plan(datasets.alert_events(buffer_format=BufferFormat.RECORD), ())
MESSAGE = {"message_id": numbered(7), "sent": 1500, "sender": "AROA:monitor", "receives": 3}


def letters(plan: SinkPlan, **message: Any) -> list[Outgoing]:
    delivery = Admission(plan).read(Message(**{**MESSAGE, **message}).received())
    return list(DeadLetters(plan, "sha256:plan", "1.2.3").of(delivery, list(delivery.refused)))


def test_a_record_is_wrapped_with_its_origin() -> None:
    schema = "sha256:" + "0" * 64
    [letter] = letters(
        ALERTS, records=(alert(), alert("b", "x")), envelope={"id": numbered(9), "schema": schema}
    )
    assert json.loads(letter.body) == {
        "dataset": "alert_events",
        "schema": schema,
        "records": [alert("b", "x")],
        "origin": {
            "id": numbered(9),
            "position": 1,
            "sent_at": "2024-05-01T12:00:01.500Z",
            "sender": "AROA:monitor",
            "message_id": numbered(7),
        },
    }
    assert letter.attributes["reason"] == "schema_unknown"
    assert json.loads(letter.attributes["sluice"]) == {
        "pointer": "/severity",
        "text": "enum",
        "plan": "sha256:plan",
        "sink": "1.2.3",
        "receives": 3,
        "replays": 0,
    }


def test_a_dead_letter_mended_and_sent_again_is_admitted_as_what_it_was() -> None:
    [letter] = letters(ALERTS, records=(alert(), alert("b", "x")))
    mended = Message(body=letter.body.replace('"x"', '"info"').encode(), message_id=numbered(8))
    delivery = Admission(ALERTS).read(mended.received())
    assert (delivery.identity, list(delivery.positions)) == (numbered(7), [1])
    assert admitted(delivery) == [alert("b", "info")]


def test_a_dead_letter_rejected_again_keeps_its_identity_and_believes_no_claim() -> None:
    origin = {"id": numbered(9), "position": 5, "sender": "forged", "sent_at": "x", "message_id": "y"}
    [letter] = letters(ALERTS, records=(alert("b", "x"),), envelope={"origin": origin})
    found = json.loads(letter.body)["origin"]
    assert (found["id"], found["position"]) == (numbered(9), 5)
    assert (found["sender"], found["message_id"]) == ("AROA:monitor", numbered(7))


@pytest.mark.parametrize("number", ["1e5", "1.50", "123456789012345678901234.0", "-0.0", "1E400"])
def test_numbers_are_as_they_came(number: str) -> None:
    record = json.dumps(alert("b", "x", value=77)).replace("77", number)
    [letter] = letters(ALERTS, body=f'{{"dataset": "alert_events", "records": [{record}]}}'.encode())
    assert f'"value":{number}' in letter.body


@pytest.mark.parametrize("body", [b"not json", b'{"dataset": "other", "records": [{}]}', b'["\\ud800"]'])
def test_what_could_not_be_read_goes_as_it_is(body: bytes) -> None:
    [letter] = letters(ALERTS, body=body)
    assert letter.body == body.decode()


def test_a_bare_record_is_wrapped_too() -> None:
    [letter] = letters(BARE, body=json.dumps(alert("b", "x")).encode())
    assert json.loads(letter.body)["records"] == [alert("b", "x")]


def test_the_largest_record_still_fits_when_it_is_wrapped() -> None:
    fill = ALERTS.max_message_bytes - len(
        json.dumps({"dataset": "alert_events", "records": [alert("b", "x", note="")]})
    )
    [letter] = letters(ALERTS, records=(alert("b", "x", note="\x01" * (fill // 6)),), sender="A" * 200)
    assert ALERTS.max_message_bytes < letter.size + 10 * 1024
    assert letter.size <= MAX_MESSAGE_BYTES


def test_characters_that_sqs_does_not_take_are_escaped() -> None:
    record = alert("b", "x", labels={"a": "\uffff\ufffe\x01\u2028\U0001f600"})
    [letter] = letters(ALERTS, records=(record,))
    assert json.loads(letter.body)["records"] == [record]
    assert not set(letter.body) & set("\uffff\ufffe\x01")


def test_texts_are_cut() -> None:
    nested: Any = 1
    for _ in range(200):
        nested = {"e\x01\u00e9": nested}
    plan = sink_plan(datasets.integrity_signals(), ())
    effective = {
        "properties": {"evidence": {"$ref": "#/$defs/deep"}},
        "$defs": {"deep": {"not": {"type": "integer"}, "additionalProperties": {"$ref": "#/$defs/deep"}}},
    }
    plan = replace(plan, effective=effective)
    [letter] = letters(plan, dataset="integrity_signals", records=({"evidence": nested},))
    told = json.loads(letter.attributes["sluice"])
    assert TEXT_BYTES - 4 < len(told["pointer"].encode()) <= TEXT_BYTES
    assert letter.attributes["sluice"].isascii()


@pytest.mark.parametrize("number", ["1", "1.2345678901234567890"])
@pytest.mark.parametrize("levels", [600, 900, 960, 980, 985, 990, 995, 1010, 1020, 1100, 5000])
def test_of_an_envelope_with_a_record_too_deep_nothing_is_stored_or_that_record_goes_alone(
    levels: int, number: str
) -> None:
    """Sent again with what was stored, a table whose key is the message would have it twice."""
    deep = "[" * levels + number + "]" * levels
    body = f'{{"dataset": "monitoring_events", "records": [{json.dumps(monitored())}, {{"labels": {deep}}}]}}'
    plan = sink_plan(datasets.monitoring_events(), ())
    delivery = Admission(plan).read(Message(body=body.encode(), **MESSAGE).received())
    [letter] = DeadLetters(plan, "sha256:plan", "1.2.3").of(delivery, list(delivery.refused))
    assert letter.attributes["reason"] == "too_deep"
    assert deep in letter.body
    assert bool(delivery.indexes) == ('"origin"' in letter.body)
    assert bool(delivery.indexes) == (letter.body != body)
