"""Which records of a message are admitted, and what is told of the others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from compiler.emit.sink import sink_plan
from compiler.operation import BufferFormat
from sink_runtime.plan import SinkPlan
from sink_runtime.records.admission import Admission
from sink_runtime.records.delivery import Delivery
from sink_runtime.records.reasons import DESCRIPTIONS, Reason
from sink_runtime.sqs.queue import Received
from tests.sink import datasets
from tests.sink.messages import Message, admitted, alert, monitored, numbered

ALERTS = sink_plan(datasets.alert_events(), ())
BARE = sink_plan(datasets.alert_events(buffer_format=BufferFormat.RECORD), ())
MONITORING = sink_plan(datasets.monitoring_events(), ())


def read(message: Message, plan: SinkPlan = ALERTS) -> Delivery:
    return Admission(plan).read(message.received())


def body(**envelope: Any) -> Message:
    return Message(body=json.dumps({"dataset": "alert_events", "records": [alert()]} | envelope).encode())


def test_every_reason_is_described() -> None:
    assert DESCRIPTIONS.keys() == set(Reason)


def test_good_records_go_on_without_the_bad() -> None:
    delivery = read(Message((alert("a"), 5, alert("b"), alert("c", "nonsense"), None)))
    assert [record["dedupe_key"] for record in admitted(delivery)] == ["a", "b"]
    assert (list(delivery.indexes), list(delivery.positions)) == ([0, 2], [0, 2])
    assert [(one.index, one.rejection.reason) for one in delivery.refused] == [
        (1, Reason.SCHEMA_VIOLATION),
        (3, Reason.SCHEMA_VIOLATION),
        (4, Reason.SCHEMA_VIOLATION),
    ]


@pytest.mark.parametrize(
    ("record", "pointer", "text"),
    [
        (alert(severity="secret"), "/severity", "enum"),
        (alert(key="s" * 201), "/dedupe_key", "maxLength (limit: 200)"),
        (alert() | {"org_id": "secret"}, "/org_id", "format (format: uuid)"),
        (alert(raised_at="secret"), "/raised_at", "format (format: date-time)"),
        ({"org_id": numbered(1)}, "", "required (property: dedupe_key)"),
        (alert(surprise="secret"), "", "additionalProperties (unexpected: ['surprise'])"),
        (alert(value="secret"), "/value", "type (types: ['null', 'number'])"),
        (alert(labels={"secret key": 5}), "/labels", "type (types: ['string'])"),
        ("secret", "", "type (types: ['object'])"),
    ],
)
def test_a_rejection_says_where_and_which_rule_and_no_value(record: Any, pointer: str, text: str) -> None:
    [refused] = read(Message((record,))).refused
    assert (refused.rejection.reason, refused.rejection.pointer) == (Reason.SCHEMA_VIOLATION, pointer)
    assert refused.rejection.text == text
    assert "secret" not in f"{refused.rejection}"


def test_a_number_of_thousands_of_digits_under_an_unknown_schema_says_so() -> None:
    text = json.dumps({"dataset": "alert_events", "schema": "mine", "records": [alert(value=7777777)]})
    [refused] = read(Message(body=text.replace("7777777", "9" * 4_301).encode())).refused
    assert refused.rejection.reason is Reason.SCHEMA_UNKNOWN


def test_an_invalid_record_under_an_unknown_schema_says_so() -> None:
    known = read(Message((alert(severity="x"),), envelope={"schema": ALERTS.record_sha256}))
    unknown = read(Message((alert(severity="x"), alert()), envelope={"schema": "sha256:" + "0" * 64}))
    assert known.refused[0].rejection.reason is Reason.SCHEMA_VIOLATION
    assert unknown.refused[0].rejection.reason is Reason.SCHEMA_UNKNOWN
    assert len(admitted(unknown)) == 1, "a valid record is stored, whatever schema its producer built against"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(body=b"[]"), Reason.NOT_AN_ENVELOPE),
        (Message(body=b"5"), Reason.NOT_AN_ENVELOPE),
        (Message(body=json.dumps(alert()).encode()), Reason.NOT_AN_ENVELOPE),
        (body(records=[]), Reason.NOT_AN_ENVELOPE),
        (body(records={}), Reason.NOT_AN_ENVELOPE),
        (body(id="batch 7"), Reason.NOT_AN_ENVELOPE),
        (body(id=None), Reason.NOT_AN_ENVELOPE),
        (body(id="{" + numbered(1) + "}"), Reason.NOT_AN_ENVELOPE),
        (body(schema=5), Reason.NOT_AN_ENVELOPE),
        (body(recrods=[]), Reason.NOT_AN_ENVELOPE),
        (body(origin={"id": numbered(1), "position": -1}), Reason.NOT_AN_ENVELOPE),
        (body(origin={"id": numbered(1), "position": True}), Reason.NOT_AN_ENVELOPE),
        (body(origin={"id": "x", "position": 1}), Reason.NOT_AN_ENVELOPE),
        (body(origin={"id": numbered(1), "position": 0}, records=[alert(), alert()]), Reason.NOT_AN_ENVELOPE),
        (body(dataset="other"), Reason.WRONG_DATASET),
        (body(dataset=None), Reason.WRONG_DATASET),
        (Message(body=b"\xff"), Reason.INVALID_ENCODING),
    ],
)
def test_bodies_that_are_rejected_whole(message: Message, reason: Reason) -> None:
    delivery = read(message)
    [refused] = delivery.refused
    assert (refused.index, refused.rejection.reason) == (None, reason)
    assert not admitted(delivery)


def test_identity_is_the_envelope_s_id_or_the_message_id() -> None:
    message = Message((alert(), alert()), message_id=numbered(7).upper())
    assert (read(message).identity, list(read(message).positions)) == (numbered(7), [0, 1])
    named = replace(message, envelope={"id": numbered(0xABC).upper()})
    assert read(named).identity == numbered(0xABC)
    strange = replace(message, message_id="not a uuid")
    expected = uuid5(UUID(ALERTS.dataset_uuid), "not a uuid")
    assert read(strange).identity == str(expected)


def test_a_dead_letter_keeps_its_identity() -> None:
    origin = {
        "id": numbered(9),
        "position": 41,
        "sender": "forged",
        "sent_at": "2001-01-01T00:00:00Z",
        "message_id": "m",
    }
    delivery = read(body(origin=origin, id=numbered(3)))
    assert (delivery.identity, list(delivery.positions), list(delivery.indexes)) == (numbered(9), [41], [0])
    assert (delivery.sender, delivery.sent_text) == (delivery.message.sender, delivery.message.sent_text)


def test_a_dead_letter_keeps_its_sender_where_a_trusted_role_sent_it() -> None:
    origin = {"id": numbered(9), "position": 0, "sender": "AROA1:job", "sent_at": "2001-01-01T00:00:00.000Z"}
    message = replace(body(origin=origin), sender="AROAOPERATOR:anne")
    believed = Admission(ALERTS, ["AROAOPERATOR"]).read(message.received())
    assert (believed.sender, believed.sent_text) == ("AROA1:job", "2001-01-01T00:00:00.000Z")
    for claim in ({"sent_at": "2001-02-31T00:00:00.000Z"}, {"sent_at": 5}, {"sender": ""}, {"sender": None}):
        forged = replace(body(origin=origin | claim), sender="AROAOPERATOR:anne").received()
        found = Admission(ALERTS, ["AROAOPERATOR"]).read(forged)
        assert (found.sender, found.sent_text) == (forged.sender, forged.sent_text)


def test_a_bare_record_is_a_body_of_its_own() -> None:
    bare = read(Message(body=json.dumps(alert()).encode()), BARE)
    assert (admitted(bare), list(bare.positions)) == ([alert()], [0])
    envelope = read(Message((alert(),)), BARE)
    assert envelope.refused[0].rejection.reason is Reason.SCHEMA_VIOLATION
    letter = read(body(origin={"id": numbered(9), "position": 0}), BARE)
    assert (admitted(letter), letter.identity) == ([alert()], numbered(9))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1e-400", Reason.NUMBER_OUT_OF_RANGE),
        ("-1e-400", Reason.NUMBER_OUT_OF_RANGE),
        ("1e400", Reason.NUMBER_OUT_OF_RANGE),
        ("0e-400", None),
        ("5e-324", None),
        ("1e308", None),
        ("0.10000000000000000000001", None),
    ],
)
def test_numbers_that_a_double_would_lose(number: str, reason: Reason | None) -> None:
    record = json.dumps(monitored(duration_ms=0.5)).replace("0.5", number)
    delivery = read(
        Message(body=f'{{"dataset": "monitoring_events", "records": [{record}]}}'.encode()), MONITORING
    )
    assert [one.rejection.reason for one in delivery.refused] == ([reason] if reason else [])
    assert [one.rejection.pointer for one in delivery.refused] == (["/duration_ms"] if reason else [])


def test_one_record_s_fault_leaves_its_neighbours() -> None:
    records = [alert("a"), alert("b", labels={"k": "\0"}), alert("c", value=0), alert("d\0")]
    raw = json.dumps({"dataset": "alert_events", "records": records}).replace(
        '"value": 0', '"value": 1e200000'
    )
    delivery = read(Message(body=raw.encode()))
    assert [record["dedupe_key"] for record in admitted(delivery)] == ["a"]
    assert [one.rejection.reason for one in delivery.refused] == [
        Reason.NUL_CHARACTER,
        Reason.NUMBER_OUT_OF_RANGE,
        Reason.NUL_CHARACTER,
    ]


@pytest.mark.parametrize("digits", [4_301, 100_000])
@pytest.mark.parametrize("place", ["value", "muted"])
def test_a_number_of_thousands_of_digits_is_rejected_and_stops_nothing(digits: int, place: str) -> None:
    text = json.dumps({"dataset": "alert_events", "records": [alert("a"), {**alert("b"), place: 7777777}]})
    delivery = read(Message(body=text.replace("7777777", "9" * digits).encode()))
    assert [record["dedupe_key"] for record in admitted(delivery)] == ["a"]
    assert [(one.index, one.rejection.reason) for one in delivery.refused] == [(1, Reason.SCHEMA_VIOLATION)]


def test_a_defect_of_ours_rejects_the_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sink_runtime.records.admission.open_envelope", fails)
    delivery = read(body())
    assert [(one.index, one.rejection.reason, one.rejection.text) for one in delivery.refused] == [
        (None, Reason.UNREADABLE, "ZeroDivisionError")
    ]


@pytest.mark.parametrize(
    "among",
    [
        alert("good", value=1.25),
        alert("bad", "nonsense"),
        alert("exact", value=1.00000001),
        alert("letter") | {"origin": 1, "records": 2, "dataset": "alert_events"},
        5,
        b"not JSON",
        b" \n" + json.dumps(alert("spaced")).encode() + b"\n",
        json.dumps(alert(value=7777)).replace("7777", "1.0000000000000001").encode(),
        json.dumps(alert(title="\0")).encode(),
        {"dataset": "alert_events", "records": [alert("dead")], "origin": {"id": numbered(7), "position": 3}},
        {"dataset": "alert_events", "records": [alert("a"), alert("b", "nonsense")]},
    ],
)
@pytest.mark.parametrize("plan", [BARE, ALERTS], ids=["records", "envelopes"])
@pytest.mark.parametrize(
    "message_id", [numbered(5), numbered(5).upper(), "no uuid", f"{numbered(5)}\n{numbered(6)}", ""]
)
def test_messages_read_together_are_read_as_each_alone(plan: SinkPlan, among: Any, message_id: str) -> None:
    text = among if isinstance(among, bytes) else json.dumps(among).encode()
    own = alert("other") if plan is BARE else {"dataset": "alert_events", "records": [alert("other")] * 3}
    messages = [Message(body=json.dumps(own).encode()).received() for _ in range(4)]
    messages.insert(2, Message(body=text, message_id=message_id).received())
    admission = Admission(plan)
    assert admission.read_all(messages) == [admission.read(message) for message in messages]


def test_as_many_messages_as_come_at_once_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a sink under load would read each alone, which costs twice as much, and no other test would notice."""
    admission = Admission(BARE)
    monkeypatch.setattr(admission, "read", None)
    bodies = [json.dumps(alert(str(number), labels={"a": "b" * 2000})) for number in range(200)]
    deliveries = admission.read_all([Message(body=body.encode()).received() for body in bodies])
    assert [delivery.payload.decode() for delivery in deliveries] == bodies


@pytest.mark.parametrize(
    "unusual",
    [
        {"dedupe_key": 5},
        {"dedupe_key": "a\0"},
        {"value": 1.2345678901234567},
        {"labels": {"a": "b" * 300_000}},
    ],
    ids=["refused", "NUL", "not exact as a double", "large"],
)
def test_few_unusual_messages_leave_the_others_their_fast_way(
    unusual: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = Admission(BARE)
    read = admission.read
    alone: list[Received] = []

    def noted(message: Received, decoded: tuple[Any, bool] | None = None) -> Delivery:
        alone.append(message)
        return read(message, decoded)

    monkeypatch.setattr(admission, "read", noted)
    records = [alert(str(number)) for number in range(120)]
    records[70] |= unusual
    messages = [Message(body=json.dumps(record).encode()).received() for record in records]
    deliveries = admission.read_all(messages)
    assert alone == [messages[70]]
    assert [delivery.message for delivery in deliveries] == messages


def test_a_defect_among_messages_read_together_rejects_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    admission = Admission(BARE)
    judge = admission._schema.are_ordinary

    def fails(records: list[Any]) -> bool:
        if any(record["dedupe_key"] == "odd" for record in records):
            raise Panic
        return judge(records)

    monkeypatch.setattr(admission._schema, "are_ordinary", fails)
    messages = [Message(body=json.dumps(alert(key)).encode()).received() for key in ("a", "odd", "b")]
    refused = [[one.rejection.text for one in found.refused] for found in admission.read_all(messages)]
    assert refused == [[], ["Panic"], []]


@pytest.mark.parametrize("levels", [253, 254, 255, 400, 510])
def test_a_record_of_any_depth_that_the_plan_permits_is_stored(levels: int) -> None:
    """The JSON writer stops at 254 levels, which few brackets say nothing of."""
    plan = sink_plan(datasets.monitoring_events(), ())
    labels = json.loads("[" * levels + "]" * levels)
    delivery = read(Message((monitored(labels=labels),), "monitoring_events"), plan)
    assert not delivery.refused
    assert admitted(delivery) == [monitored(labels=labels)]
