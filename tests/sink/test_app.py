"""A sink's turns in order, with queues in memory and real Postgres: what is done with a message, and what when it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sink_runtime.app import Parts, Sink
from sink_runtime.exits import DENIED
from sink_runtime.faults import FatalError
from sink_runtime.patience import Patience
from sink_runtime.pipeline.batchwriter import BatchWriter
from sink_runtime.pipeline.deadletters import DeadLetters
from sink_runtime.pipeline.deleter import Deleter
from sink_runtime.pipeline.heartbeat import Heartbeat
from sink_runtime.pipeline.receiver import Receiver
from sink_runtime.pipeline.rejects import Rejects
from sink_runtime.pipeline.shared import Shared
from sink_runtime.postgres.batch import Batch
from sink_runtime.postgres.errors import Action, DatabaseFault, Diagnosis
from sink_runtime.postgres.session import Session
from sink_runtime.postgres.writer import Writer, Written
from sink_runtime.records.admission import Admission
from sink_runtime.sqs.queue import EntryFailure
from sink_runtime.sqs.wire import QueueFault
from tests.sink import datasets
from tests.sink.fakes import FakeDeletes, FakeQueue, FakeReceives, silent_log
from tests.sink.messages import Message, alert
from tests.sink.store import Store

AWAY = QueueFault("buffer", "ServiceUnavailable", 503)
REFUSED = QueueFault("buffer", "AccessDeniedException", 403)


@dataclass
class Scene:
    """A sink of one store, to be run one turn at a time, or whole."""

    store: Store
    buffer: FakeQueue
    dead: FakeQueue
    parts: Parts
    shared: Shared
    lines: list[Any]
    writer: Writer

    @property
    def stop(self) -> threading.Event:
        return self.shared.patience.stop

    @property
    def session(self) -> Session:
        return self.parts.writers[0].session

    def arrive(self, *messages: Message) -> None:
        self.buffer.waiting.extend(message.received() for message in messages)

    def turn(self) -> None:
        """Every thread's turns, one after another, until nothing is left to do."""
        self.session.enter()
        self.shared.gate.open("writer-1")
        while self.buffer.waiting:
            self.parts.receiver.turn()
        self.parts.writers[0].turn()
        while self.shared.settlement.counts()[1]:
            self.parts.rejects.turn()
        while self.shared.settlement.counts()[0]:
            self.parts.deleter.turn()

    def run(self) -> None:
        """The sink with its threads; returns when it ends."""
        Sink(self.parts, self.shared).run()

    def keys(self) -> list[str]:
        return [key for (key,) in self.store.rows("dedupe_key")]

    def events(self, name: str) -> list[Any]:
        return [line for line in self.lines if line["event"] == name]


@pytest.fixture
def scene(make_store: Callable[..., Store]) -> Iterator[Callable[..., Scene]]:
    sessions: list[Session] = []

    def make(**more: Any) -> Scene:
        store = make_store(datasets.alert_events(), **{"linger_ms": 1} | more)
        plan = store.plan
        log, lines = silent_log()
        shared = Shared.of(plan, plan.sha256, Patience(threading.Event(), log, 0.0, 0.0), log)
        buffer, dead = FakeQueue(), FakeQueue()
        session = Session(store.database(), plan, plan.sha256)
        sessions.append(session)
        writer = Writer(plan, plan.sha256)
        parts = Parts(
            receiver=Receiver(FakeReceives(buffer), Admission(plan), shared),
            writers=[BatchWriter("writer-1", session, writer, shared)],
            rejects=Rejects(buffer, dead, DeadLetters(plan, plan.sha256, "1"), shared),
            deleter=Deleter(FakeDeletes(buffer), shared),
            heartbeat=Heartbeat(buffer, threading.Event(), shared),
            publisher=None,
            buffer=buffer,
        )
        return Scene(store, buffer, dead, parts, shared, lines, writer)

    yield make
    for session in sessions:
        session.close()


def test_a_turn_writes_buries_and_deletes(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(
        Message((alert("a"), alert("b", "x")), message_id="1"), Message((alert("c"),), message_id="2")
    )
    made.turn()
    assert made.keys() == ["a", "c"]
    assert sorted(made.buffer.deleted) == ["1", "2"]
    assert [json.loads(letter.body)["records"] for letter in made.dead.sent] == [[alert("b", "x")]]
    [line] = made.events("batch written")
    assert (line["messages"], line["records"], line["inserted"], line["rejected"], line["sequence"]) == (
        2,
        2,
        2,
        1,
        1,
    )
    assert made.events("records rejected")[0]["reasons"] == {"schema_violation": 1}


def test_nothing_but_bad_records_takes_no_sequence(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message(body=b"?", message_id="1"), Message((alert("b", "x"),), message_id="2"))
    made.turn()
    assert (made.keys(), made.store.commits(), len(made.dead.sent)) == ([], [], 2)
    assert sorted(made.buffer.deleted) == ["1", "2"]


def test_a_batch_closes_when_it_is_full(scene: Callable[..., Scene]) -> None:
    made = scene(batch_records=15, linger_ms=60_000)
    made.arrive(*(Message((alert(f"k{number}"),)) for number in range(50)))
    made.turn()
    assert len(made.keys()) == 15, "before the linger time is over"
    assert len(made.store.commits()) == 1


def test_a_receive_that_fails_is_tried_again(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message((alert("a"),)))
    made.buffer.fail("receive", AWAY)
    made.turn()
    assert made.keys() == ["a"]
    assert made.events("waiting")[0]["waits_for"] == "buffer"
    assert made.shared.gate.closed_for == {}


def test_deletes_that_fail_are_tried_again(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(*(Message((alert(f"k{number}"),), message_id=str(number)) for number in range(3)))
    made.buffer.fail("delete", AWAY, [EntryFailure(1, "InternalError", permanent=False)])
    made.turn()
    assert sorted(made.buffer.deleted) == ["0", "1", "2"]


def test_a_stale_handle_is_told_and_left(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message((alert("a"),), message_id="1"))
    made.buffer.fail("delete", [EntryFailure(0, "ReceiptHandleIsInvalid", permanent=True)])
    made.turn()
    assert made.events("message not deleted")[0]["why"] == "ReceiptHandleIsInvalid"


def test_a_denied_delete_is_fatal(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message((alert("a"),), message_id="1"))
    made.buffer.fail("delete", REFUSED)
    with pytest.raises(FatalError) as raised:
        made.run()
    assert raised.value.exit_code == DENIED
    assert made.keys() == ["a"]


def test_a_thread_that_dies_ends_the_sink(
    scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scene()

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(made.parts.heartbeat, "turn", broken)
    with pytest.raises(ZeroDivisionError):
        made.run()


def test_letters_that_fail_are_sent_again_and_no_other_twice(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message(tuple(alert(f"k{number}", "x") for number in range(13)), message_id="1"))
    busy = EntryFailure(4, "InternalError", permanent=False)
    made.dead.fail("send", [busy], AWAY)
    made.turn()
    bodies = [json.loads(letter.body)["origin"]["position"] for letter in made.dead.sent]
    assert sorted(bodies) == list(range(13))
    assert made.buffer.deleted == ["1"]


def test_a_call_refused_for_one_letter_is_taken_apart(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(*(Message((alert(f"k{number}", "x"),), message_id=str(number)) for number in range(3)))
    refused = QueueFault("dead_letters", "InvalidMessageContents", 400)
    made.dead.fail("send", refused, [], refused, [])
    made.turn()
    assert len(made.dead.sent) == 2
    assert made.buffer.deleted == ["0", "2"]
    assert made.buffer.hidden == [("1", 30)]


def test_a_letter_that_is_never_taken_keeps_its_source_and_no_other(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(
        Message((alert("a", "x"), alert("b", "x")), message_id="1"),
        Message((alert("c", "x"),), message_id="2"),
    )
    never = EntryFailure(0, "InvalidMessageContents", permanent=True)
    busy = EntryFailure(1, "InternalError", permanent=False)
    made.dead.fail("send", [never, busy])
    made.turn()
    assert made.buffer.deleted == ["2"]
    assert made.events("dead letter refused")[0]["why"] == "InvalidMessageContents"
    assert len(made.dead.sent) == 2


def test_dead_letters_that_cannot_be_sent_at_the_end_give_their_messages_back(
    scene: Callable[..., Scene],
) -> None:
    made = scene()
    made.arrive(
        Message((alert("a"), alert("b", "x")), message_id="1"), Message((alert("c"),), message_id="2")
    )
    send = made.dead.send

    def away(messages: Any) -> Any:
        made.stop.set()
        made.dead.fail("send", AWAY)
        return send(messages)

    made.dead.send = away  # type: ignore[method-assign]
    made.run()
    assert made.keys() == ["a", "c"]
    assert (made.buffer.deleted, made.buffer.hidden) == (["2"], [("1", 0)])


def test_what_an_unknown_schema_may_explain_is_put_off_and_then_rejected(scene: Callable[..., Scene]) -> None:
    made = scene(max_receive_count=10)
    newer = {"schema": "sha256:" + "0" * 64}
    early = Message((alert("a"), alert("b", "x")), message_id="1", envelope=newer, receives=2)
    late = Message((alert("c", "x"),), message_id="2", envelope=newer, receives=6)
    made.arrive(early, late)
    made.turn()
    assert made.keys() == ["a"], "what is valid is stored at once"
    assert made.buffer.hidden == [("1", 58)]
    assert made.buffer.deleted == ["2"]
    assert [letter.attributes["reason"] for letter in made.dead.sent] == ["schema_unknown"]


def test_a_missing_row_of_another_table_is_waited_for_and_then_rejected(scene: Callable[..., Scene]) -> None:
    made = scene(max_receive_count=10, constraints=("severity_is_known",))
    made.store.execute("CREATE TABLE datasets.severities (name text PRIMARY KEY)")
    made.store.execute("INSERT INTO datasets.severities VALUES ('info')")
    made.store.execute(
        "ALTER TABLE datasets.alert_events_v1 ADD CONSTRAINT severity_is_known"
        " FOREIGN KEY (severity) REFERENCES datasets.severities"
    )
    made.arrive(
        Message((alert("a"), alert("b", "warning")), message_id="1"),
        Message((alert("c", "critical"),), message_id="2", receives=9),
    )
    made.turn()
    assert made.keys() == ["a"]
    assert made.buffer.hidden == [("1", 29)]
    assert made.buffer.deleted == ["2"]
    [letter] = made.dead.sent
    assert json.loads(letter.attributes["sluice"])["sqlstate"] == "23503"


def too_slow_above(scene: Scene, records: int) -> list[int]:
    """Make batches of more than so many records run into the timeout; the sizes tried."""
    write = scene.writer.write
    tried: list[int] = []

    def slow(connection: Any, batch: Batch) -> Written:
        tried.append(batch.records)
        if batch.records > records:
            raise DatabaseFault(Diagnosis("57014", None, None), Action.TOO_SLOW)
        return write(connection, batch)

    scene.writer.write = slow  # type: ignore[method-assign]
    return tried


def test_a_batch_too_slow_is_halved(scene: Callable[..., Scene]) -> None:
    made = scene()
    tried = too_slow_above(made, 2)
    made.arrive(
        Message(tuple(alert(f"a{number}") for number in range(5)), message_id="1"),
        Message((alert("b"), alert("x", "x")), message_id="2"),
        Message((alert("y", "x"),), message_id="3"),
    )
    made.turn()
    assert tried == [6, 5, 2, 3, 1, 2, 1]
    assert made.keys() == ["a0", "a1", "a2", "a3", "a4", "b"]
    assert sorted(made.buffer.deleted) == ["1", "2", "3"]
    assert sum(rejected for (rejected,) in made.store.commits("rejected")) == 2
    assert [sequence for (sequence,) in made.store.commits("sequence")] == [1, 2, 3, 4]


def test_a_record_that_times_out_three_times_is_rejected(scene: Callable[..., Scene]) -> None:
    made = scene()
    tried = too_slow_above(made, 0)
    made.arrive(Message((alert("a"),), message_id="1"))
    made.turn()
    assert tried == [1, 1, 1]
    assert [letter.attributes["reason"] for letter in made.dead.sent] == ["statement_timeout"]
    assert made.buffer.deleted == ["1"]


@pytest.mark.parametrize("action", [Action.RETRY, Action.RECONNECT, Action.PAUSE, Action.CREDENTIALS])
def test_whatever_else_fails_is_tried_again_on_a_fresh_connection(
    scene: Callable[..., Scene], action: Action
) -> None:
    made = scene()
    write = made.writer.write
    seen: list[Any] = []

    def failing(connection: Any, batch: Batch) -> Written:
        seen.append(connection)
        if len(seen) < 4:
            raise DatabaseFault(Diagnosis("XX000", None, None), action)
        return write(connection, batch)

    made.writer.write = failing  # type: ignore[method-assign]
    made.arrive(Message((alert("a"),), message_id="1"))
    made.turn()
    assert len({id(connection) for connection in seen}) == 4
    assert (made.keys(), made.buffer.deleted, made.dead.sent) == (["a"], ["1"], [])
    waits = made.events("waiting")
    assert len(waits) == 3
    assert {line["level"] for line in waits} == {
        "error" if action in {Action.PAUSE, Action.CREDENTIALS} else "warning"
    }


def test_a_lost_answer_to_commit_changes_nothing(scene: Callable[..., Scene]) -> None:
    made = scene()
    write = made.writer.write
    lost: list[bool] = []

    def forgetful(connection: Any, batch: Batch) -> Written:
        written = write(connection, batch)
        if not lost:
            lost.append(True)
            raise DatabaseFault(Diagnosis("", None, None), Action.RETRY)
        return written

    made.writer.write = forgetful  # type: ignore[method-assign]
    made.arrive(Message((alert("a"),), message_id="1"))
    made.turn()
    assert (made.keys(), made.buffer.deleted) == (["a"], ["1"])
    assert made.store.commits() == [(1, 1, 1, 0, 0, 0)]


def lax(scene: Scene, *messages: Message, accepted: Sequence[str] = ()) -> Written:
    """Write by a plan whose schema admits anything: what is refused is refused by real CHECKs."""
    plan = replace(scene.store.plan, effective={})
    batch = Batch.of([Admission(plan).read(message.received()) for message in messages])
    return Writer(plan, plan.sha256, accepted=accepted).write(scene.session.enter(), batch)


def test_the_refused_are_found_and_the_rest_is_committed(scene: Callable[..., Scene]) -> None:
    made = scene()
    written = lax(
        made,
        Message((alert("a"), alert("b", "x"), alert("c", value=1e12))),
        Message((alert(""), alert("d"))),
    )
    assert made.keys() == ["a", "d"]
    assert [(part.start, one.sqlstate) for part, one in written.refused] == [
        (1, "23514"),
        (2, "22003"),
        (0, "23514"),
    ]
    assert written.refused[0][1].text.startswith("CheckViolation by ck_severity_")
    assert sum(rejected for (rejected,) in made.store.commits("rejected")) == 3
    assert [sequence for (sequence,) in made.store.commits("sequence")] == [1, 2]


def test_many_refused_records_take_several_transactions(scene: Callable[..., Scene]) -> None:
    made = scene()
    records = tuple(alert(f"k{number:03d}", "x" if number % 4 == 0 else "info") for number in range(200))
    written = lax(made, Message(records))
    assert [part.start for part, _ in written.refused] == list(range(0, 200, 4))
    assert made.keys() == [f"k{number:03d}" for number in range(200) if number % 4]
    assert len(made.store.fetch("SELECT DISTINCT xmin::text FROM sluice.output_commits")) > 1


def test_a_constraint_that_refuses_most_of_a_batch_pauses_it(scene: Callable[..., Scene]) -> None:
    made = scene()
    records = tuple(alert(f"k{number}", "info" if number % 3 == 0 else "x") for number in range(60))
    with pytest.raises(DatabaseFault) as raised:
        lax(made, Message(records))
    assert (raised.value.action, raised.value.alarm) == (Action.PAUSE, True)
    assert raised.value.text.startswith("23514 CheckViolation by ck_severity_")
    assert "refuses at least 31 of 60 records" in raised.value.text


def test_a_person_may_let_most_of_a_batch_be_refused(scene: Callable[..., Scene]) -> None:
    made = scene()
    records = tuple(alert(f"k{number}", "info" if number % 3 == 0 else "x") for number in range(60))
    written = lax(made, Message(records), accepted=["23514"])
    assert len(written.refused) == 40
    assert len(made.keys()) == 20


def test_another_table_s_constraint_of_the_same_name_blames_no_record(scene: Callable[..., Scene]) -> None:
    made = scene()
    name = next(one for one in made.store.plan.constraints if one.startswith("ck_severity"))
    made.store.execute(
        f"CREATE TABLE datasets.audit (severity text CONSTRAINT {name} CHECK (severity <> 'info'))"
    )
    made.store.execute(
        "CREATE FUNCTION datasets.audited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN INSERT INTO datasets.audit VALUES (new.severity); RETURN new; END $$"
    )
    made.store.execute(
        "CREATE TRIGGER audited BEFORE INSERT ON datasets.alert_events_v1 FOR EACH ROW EXECUTE FUNCTION datasets.audited()"
    )
    with pytest.raises(DatabaseFault) as raised:
        made.store.write(made.session.enter(), Message((alert("a"),)))
    assert raised.value.action is Action.PAUSE


def test_a_removed_registration_is_made_again(
    scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scene()
    monkeypatch.setattr("sink_runtime.postgres.session.SEEN_SECONDS", 0.0)
    made.session.enter()
    made.store.execute("DELETE FROM sluice.sink_instances")
    made.session.enter()
    assert made.store.fetch("SELECT plan_sha256 FROM sluice.sink_instances") == [(made.store.plan.sha256,)]


def test_few_records_are_refused_however_many_of_them(scene: Callable[..., Scene]) -> None:
    made = scene()
    written = lax(made, Message(tuple(alert(f"k{number}", "x") for number in range(19))))
    assert len(written.refused) == 19


def test_a_foreign_constraint_pauses_and_rejects_nothing(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.store.execute("ALTER TABLE datasets.alert_events_v1 ADD CONSTRAINT later CHECK (severity <> 'info')")
    with pytest.raises(DatabaseFault) as raised:
        made.store.write(made.session.enter(), Message((alert("a"),)))
    assert (raised.value.action, raised.value.alarm) == (Action.PAUSE, True)
    assert "later" in raised.value.text


def test_halves_keep_every_record_and_count_rejections_once(scene: Callable[..., Scene]) -> None:
    made = scene()
    batch = made.store.batch(
        Message((alert("a"), alert("b"), alert("x", "x"))), Message((alert("c"),)), Message(body=b"?")
    )
    first, second = batch.halves()
    assert first.parts + second.parts == batch.parts
    assert (first.rejected, second.rejected) == (2, 0)
    assert {one.message_id for one in first.messages + second.messages} == {
        one.message_id for one in batch.messages
    }
    early, late = first.halves()
    assert [json.loads(one.parts[0].payload)["dedupe_key"] for one in (early, late)] == ["a", "b"]
    assert [list(one.parts[0].positions()) for one in (early, late)] == [[0], [1]]
