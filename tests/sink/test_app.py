"""The story's turns, with queues in memory and real Postgres: what is done in which order, and what when it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sink_runtime.admission import Admission
from sink_runtime.app import Sink
from sink_runtime.batch import Batch
from sink_runtime.collector import Collector
from sink_runtime.custody import DELETE_DENIED, Custody
from sink_runtime.deadletters import DeadLetters
from sink_runtime.errors import Action, DatabaseFault, Diagnosis
from sink_runtime.faults import FatalError
from sink_runtime.gate import Gate
from sink_runtime.patience import Patience
from sink_runtime.queue import EntryFailure
from sink_runtime.wire import QueueFault
from sink_runtime.writer import Writer, Written
from tests.sink import datasets
from tests.sink.fakes import FakeQueue, silent_log
from tests.sink.messages import Message, alert
from tests.sink.store import Store

AWAY = QueueFault("buffer", "ServiceUnavailable", 503)
DENIED = QueueFault("buffer", "AccessDeniedException", 403)


@dataclass
class Scene:
    """A sink of one store, to be run one turn at a time."""

    store: Store
    buffer: FakeQueue
    dead: FakeQueue
    sink: Sink
    custody: Custody
    stop: threading.Event
    lines: list[Any]
    writer: Writer
    gate: Gate

    def arrive(self, *messages: Message) -> None:
        self.buffer.waiting.extend(message.received() for message in messages)

    def turn(self) -> None:
        self.sink._turn()

    def keys(self) -> list[str]:
        return [key for (key,) in self.store.rows("dedupe_key")]

    def events(self, name: str) -> list[Any]:
        return [line for line in self.lines if line["event"] == name]


class Hasty(Patience):
    """Patience that does not wait."""

    def __init__(self, stop: threading.Event, log: Any) -> None:
        super().__init__(stop, log, longest=0.0)


@pytest.fixture
def scene(make_store: Callable[..., Store]) -> Iterator[Callable[..., Scene]]:
    gates: list[Gate] = []

    def make(**more: Any) -> Scene:
        store = make_store(datasets.alert_events(), **more)
        plan = store.plan
        log, lines = silent_log()
        stop = threading.Event()
        patience = Hasty(stop, log)
        buffer, dead = FakeQueue(), FakeQueue()
        gate = Gate(store.database(), plan, plan.sha256)
        gates.append(gate)
        writer = Writer(plan, plan.sha256)
        held = Custody(buffer, dead, DeadLetters(plan, plan.sha256, "1"), plan, patience, log)
        collector = Collector(buffer, Admission(plan), plan, patience)
        sink = Sink(gate, collector, writer, held, None, patience, log)
        return Scene(store, buffer, dead, sink, held, stop, lines, writer, gate)

    yield make
    for gate in gates:
        gate.close()


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
    assert len(made.keys()) == 20, "two receives of ten"
    assert len(made.store.commits()) == 1


def test_a_batch_closes_when_the_queue_is_empty(scene: Callable[..., Scene]) -> None:
    made = scene(linger_ms=60_000)
    made.arrive(*(Message((alert(f"k{number}"),)) for number in range(11)))
    made.turn()
    assert (len(made.keys()), made.buffer.receives) == (11, 3)


def test_a_receive_that_fails_leaves_what_was_received_to_be_written(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(*(Message((alert(f"k{number}"),)) for number in range(11)))
    made.buffer.fail("receive", [], AWAY)
    made.turn()
    assert len(made.keys()) == 10


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
    made.buffer.fail("delete", DENIED)
    with pytest.raises(FatalError) as raised:
        made.sink.run()
    assert raised.value.exit_code == DELETE_DENIED
    assert made.buffer.hidden == [("1", 0)], "the message is given back"


def test_letters_that_fail_are_sent_again_and_no_other_twice(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.arrive(Message(tuple(alert(f"k{number}", "x") for number in range(13)), message_id="1"))
    busy = EntryFailure(4, "InternalError", permanent=False)
    made.dead.fail("send", [busy], AWAY)
    made.turn()
    bodies = [json.loads(letter.body)["origin"]["position"] for letter in made.dead.sent]
    assert sorted(bodies) == list(range(13))
    assert made.buffer.deleted == ["1"]


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
    made.sink.run()
    assert made.keys() == ["a", "c"]
    assert (made.buffer.deleted, made.buffer.hidden) == (["2"], [("1", 0)])


def test_what_is_held_is_kept_invisible(scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene(visibility_timeout_seconds=30)
    now = [1000.0]
    monkeypatch.setattr("sink_runtime.custody.time.monotonic", lambda: now[0])
    delivery = Admission(made.store.plan).read(Message((alert(),), message_id="1").received())
    made.custody.hold([delivery])
    for elapsed in (0, 9, 11, 15, 22):
        now[0] = 1000.0 + elapsed
        made.custody.keep()
    assert made.buffer.hidden == [("1", 30), ("1", 30)]
    made.buffer.fail("hide", AWAY)
    now[0] += 20
    made.custody.keep()
    assert made.events("visibility not extended")
    made.custody.delete([delivery.message])
    now[0] += 20
    made.custody.keep()
    assert len(made.buffer.hidden) == 2, "what is deleted is not extended"


def too_slow_above(scene: Scene, records: int) -> list[int]:
    """Make batches of more than so many records run into the timeout; the sizes tried."""
    write = scene.writer.write
    tried: list[int] = []

    def slow(connection: Any, batch: Batch) -> Written:
        tried.append(len(batch.rows))
        if len(batch.rows) > records:
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
    assert tried == [6, 3, 1, 2, 3, 1, 2]
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


def test_the_refused_are_found_and_the_rest_is_one_commit(scene: Callable[..., Scene]) -> None:
    """By real CHECKs: the plan's schema is made laxer than its table."""
    made = scene()
    lax = replace(made.store.plan, effective={})
    batch = Batch.of(
        [
            Admission(lax).read(Message((alert("a"), alert("b", "x"), alert("c", value=1e12))).received()),
            Admission(lax).read(Message((alert(""), alert("d"))).received()),
        ]
    )
    written = Writer(lax, lax.sha256).write(made.gate.enter(), batch)
    assert made.keys() == ["a", "d"]
    assert {index: one.sqlstate for index, one in written.refused.items()} == {
        1: "23514",
        2: "22003",
        3: "23514",
    }
    assert written.refused[1].text.startswith("CheckViolation by ck_severity_")
    assert made.store.commits() == [(1, 2, 2, 0, 0, 3)]


def test_a_foreign_constraint_pauses_and_rejects_nothing(scene: Callable[..., Scene]) -> None:
    made = scene()
    made.store.execute("ALTER TABLE datasets.alert_events_v1 ADD CONSTRAINT later CHECK (severity <> 'info')")
    with pytest.raises(DatabaseFault) as raised:
        made.store.write(made.gate.enter(), Message((alert("a"),)))
    assert (raised.value.action, raised.value.alarm) == (Action.PAUSE, True)
    assert "later" in raised.value.text


def test_halves_keep_every_record_and_count_rejections_once(scene: Callable[..., Scene]) -> None:
    made = scene()
    batch = made.store.batch(
        Message((alert("a"), alert("b"), alert("x", "x"))), Message((alert("c"),)), Message(body=b"?")
    )
    first, second = batch.halves()
    assert first.rows + second.rows == batch.rows
    assert (first.rejected, second.rejected) == (2, 0)
    assert {id(one) for one in first.deliveries + second.deliveries} == {id(one) for one in batch.deliveries}
