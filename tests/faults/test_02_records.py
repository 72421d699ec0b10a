"""Bad records and bad bodies: each becomes one dead letter, and none takes a good one with it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.faults.rig import DATASET, Rig
from tests.faults.servers import MakeRig, both_servers
from tests.sink import datasets
from tests.sink.messages import Message, account, alert, monitored
from tests.support.proxies.behaviours import come_back_sooner, fail_entries

ANYTHING: dict[str, Any] = {"type": "object"}  # an effective schema that leaves every rule to the table
MAX_BODY = 1_040_384


def _sqlstates(letters: list[dict[str, Any]]) -> Counter[str]:
    told = (json.loads(one["MessageAttributes"]["sluice"]["StringValue"]) for one in letters)
    return Counter(one["sqlstate"] for one in told)


def _envelope(*records: str) -> str:
    """A body from records as text, so that it may hold what no JSON library writes."""
    return f'{{"dataset": "{DATASET}", "records": [{", ".join(records)}]}}'


def test_02_malformed_json_becomes_a_dead_letter_as_it_came(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    broken = ["not json", '{"dataset": "monitoring_events", "records": [', "[1, 2", '{"a": 1,}']
    one.send_body(*broken)
    one.send("good")
    one.start()
    one.deployment.await_drained()
    letters = one.letters(len(broken))
    assert sorted(letter["Body"] for letter in letters) == sorted(broken)
    assert {letter["MessageAttributes"]["reason"]["StringValue"] for letter in letters} == {"not_json"}
    assert one.stored() == ["good"]


def test_03_a_constraint_that_one_record_violates_costs_no_good_record(rig: MakeRig) -> None:
    one = rig(datasets.alert_events(), effective=ANYTHING)
    one.deployment.send(
        Message((alert("a"), alert("loud", "deafening"), alert("b"))),
        Message((alert("c"), alert("silent", severity=None), alert("k" * 201), alert("d"))),
        Message((alert("e"),)),
    )
    one.start()
    one.deployment.await_drained()
    assert one.store.rows("dedupe_key") == [(key,) for key in "abcde"]
    assert _sqlstates(one.letters(3)) == {"23514": 2, "23502": 1}


@pytest.mark.parametrize("refused_by", ["schema", "database"])
def test_04_three_bad_of_3000_become_three_dead_letters_and_2997_rows(rig: MakeRig, refused_by: str) -> None:
    one = rig(datasets.monitoring_events())
    if refused_by == "database":
        one.add_trigger("IF new.service LIKE 'bad%' THEN PERFORM 1 / 0; END IF")
    records = [monitored(f"s{number}") for number in range(3000)]
    for number in (7, 1500, 2999):
        records[number] = monitored(f"bad{number}", **({"count": "many"} if refused_by == "schema" else {}))
    one.deployment.send(*(Message(tuple(records[at : at + 100]), DATASET) for at in range(0, 3000, 100)))
    one.start()
    one.deployment.await_drained()
    assert one.stored() == sorted(record["service"] for record in records if record["service"][0] == "s")
    one.check_commits()
    letters = [json.loads(letter["Body"])["records"] for letter in one.letters(3)]
    assert sorted(letters, key=str) == sorted(([records[number]] for number in (7, 1500, 2999)), key=str)


@both_servers
def test_05_a_poison_message_takes_none_of_its_batch_mates_to_the_dead_letter_queue(rig: MakeRig) -> None:
    """No letter of it can be sent, so that it comes again and again until SQS moves it: it, and nothing else."""
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=1, max_receive_count=5)
    one.aws.on("SendMessageBatch", fail_entries("InvalidMessageContents", at_fault=True))
    one.aws.on("ChangeMessageVisibilityBatch", come_back_sooner)
    sink = one.start_ready()
    poison = json.dumps({"dataset": DATASET, "records": [{"service": "poison"}]})
    one.send_body(poison)
    mates: list[str] = []

    def moved() -> bool:
        """Whether SQS has moved it; each time another batch of mates is sent."""
        names = [f"mate {len(mates) + number}" for number in range(4)]
        one.send(*names)
        mates.extend(names)
        one.until(lambda: set(names) <= set(one.stored()))
        return one.deployment.counts(one.deployment.dead_letter)[0] > 0

    one.until(moved)
    one.deployment.await_drained()
    [letter] = one.letters(1)
    assert letter["Body"] == poison
    assert one.deployment.counts(one.deployment.dead_letter) == (0, 0)
    assert one.stored() == sorted(mates)
    assert len(sink.events("dead letter refused")) >= 2


def test_11_the_same_key_twice_in_a_batch_is_one_row(rig: MakeRig) -> None:
    one = rig(datasets.accounts())
    one.deployment.send(Message((account(1, tier="a"), account(2), account(1, tier="b")), "accounts"))
    one.start()
    one.deployment.await_drained()
    assert one.store.rows("id", "tier") == [(1, "b"), (2, "free")]


def test_12_more_than_65535_values_are_one_commit(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), batch_records=20_000)
    services = [f"s{number}" for number in range(14_000)]
    assert len(services) * len(one.store.plan.columns) > 65_535
    one.send(*services, together=len(services))
    one.start()
    one.await_exactly(services)
    assert one.store.commits("inserted") == [(len(services),)]


def test_13_u0000_is_rejected_and_its_neighbours_are_stored(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    good = (
        '{"service": "a", "at": "2024-05-01T12:00:00Z"}',
        '{"service": "b", "at": "2024-05-01T12:00:00Z"}',
    )
    in_text = r'{"service": "x\u0000y", "at": "2024-05-01T12:00:00Z"}'
    in_key = r'{"service": "c", "at": "2024-05-01T12:00:00Z", "labels": {"x\u0000": 1}}'
    one.send_body(_envelope(good[0], in_text, in_key, good[1]))
    one.start()
    one.deployment.await_drained()
    assert one.stored() == ["a", "b"]
    assert one.reasons(2) == {"nul_character": 2}


@both_servers
def test_14_what_is_no_json_is_rejected_and_what_is_exact_stays_so(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    record = '{"service": "%s", "at": "2024-05-01T12:00:00Z", "labels": {"n": %s}}'
    exact = ["123456789012345678901234567890", "0.1234567890123456789012345", "1e-30", "-9223372036854775809"]
    one.send_body(
        _envelope(*(record % (f"exact {at}", number) for at, number in enumerate(exact))),
        _envelope(record % ("nan", "NaN")),
        _envelope(record % ("infinity", "-Infinity")),
        _envelope(record % ("surrogate", r'"\ud83d"')),
        "\ufeff" + _envelope(record % ("bom", "1")),
        _envelope(record % ("beyond numeric", "1e140000"), record % ("beside it", "1")),
    )
    one.start()
    one.deployment.await_drained()
    assert one.stored() == ["beside it", *(f"exact {at}" for at in range(len(exact)))]
    assert one.reasons(5) == {"not_json": 2, "invalid_encoding": 2, "number_out_of_range": 1}
    equal = one.store.fetch(
        "SELECT service, (labels -> 'n')::numeric::text FROM datasets.monitoring_events_v1"
        " WHERE service LIKE 'exact%' ORDER BY service"
    )
    assert [text for _, text in equal] == [exact[0], exact[1], f"0.{'0' * 29}1", exact[3]]


def test_27_what_once_failed_is_written_when_it_can_be(rig: MakeRig) -> None:
    """The same message, with the same MessageId, comes again after its fault is mended; nothing remembers the fault."""
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=1)
    one.add_trigger("IF new.service = 'late' THEN RAISE EXCEPTION 'not yet'; END IF")
    rule = one.aws.on("SendMessageBatch", fail_entries("InvalidMessageContents", at_fault=True))
    one.aws.on("ChangeMessageVisibilityBatch", come_back_sooner)
    sink = one.start_ready()
    one.send("early", "late", together=2)
    one.until(lambda: len(sink.events("dead letter refused")) >= 2)
    assert one.stored() == ["early"]
    one.drop_trigger()
    rule.end()
    one.await_exactly(["early", "late"])


def _padded(one: Rig, service: str, **more: Any) -> str:
    """A body of just the size that the buffer takes."""
    envelope: dict[str, Any] = {
        "dataset": DATASET,
        "records": [monitored(service, labels={"pad": ""}, **more)],
    }
    pad = "x" * (one.store.plan.max_message_bytes - len(json.dumps(envelope)))
    envelope["records"][0]["labels"]["pad"] = pad
    return json.dumps(envelope)


@both_servers
def test_30_a_message_of_a_mebibyte_is_stored_or_rejected_whole(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    bodies = [_padded(one, "large"), _padded(one, "large and bad", count="many")]
    assert {len(body) for body in bodies} == {MAX_BODY}
    one.send_body(*bodies)
    one.start()
    one.deployment.await_drained()
    assert one.stored() == ["large"]
    [letter] = one.letters(1)
    assert json.loads(letter["Body"])["records"] == json.loads(bodies[1])["records"]
