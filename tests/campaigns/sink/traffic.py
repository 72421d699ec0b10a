"""Producers that never rest, a ledger of what they sent, and what must be found of it at the end."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from tests.campaigns.sink.results import Figures
from tests.faults.rig import DATASET, Rig
from tests.sink.messages import monitored
from tests.support.waiting import until

BAD_SHARE = 0.01
AGAIN_SHARE = 0.02  # of envelopes that a producer sends twice, as after an answer that was lost
CALL_ENTRIES = 10
_SHOWN = 5  # examples of a problem


@dataclass
class Ledger:
    """What SQS has taken. `good` are the names of records, `bad` the reason of each letter that must come, by its key."""

    good: set[str] = field(default_factory=set)
    bad: dict[str, str] = field(default_factory=dict)
    messages: int = 0
    failed_calls: int = 0


@dataclass
class Arrivals:
    """What came out at the other ends: letters by key with their reasons, events by sequence."""

    letters: dict[str, Counter[str]] = field(default_factory=dict)
    events: Counter[int] = field(default_factory=Counter)


class Traffic:
    """Producers' and collectors' threads on one rig. `rate` is in records a second, of all producers together."""

    def __init__(
        self,
        rig: Rig,
        seed: int,
        *,
        rate: float,
        producers: int = 4,
        most_records: int = 5,
        bad_share: float = BAD_SHARE,
    ) -> None:
        self.ledger = Ledger()
        self.arrivals = Arrivals()
        self._rig = rig
        self._bad_share = bad_share
        self._most_records = most_records
        per_call = CALL_ENTRIES * (1 + most_records) / 2
        self._pause = producers * per_call / rate
        self._lock = threading.Lock()
        self._no_more = threading.Event()
        self._ended = threading.Event()
        self._producers = [
            threading.Thread(target=self._produce, args=(number, random.Random(f"{seed} {number}")))
            for number in range(producers)
        ]
        self._collectors = [
            threading.Thread(target=self._collect, args=(queue, take))
            for queue, take in (
                (rig.deployment.dead_letter, self._take_letter),
                (rig.deployment.inbox, self._take_event),
            )
        ]

    @contextmanager
    def running(self) -> Iterator[Traffic]:
        """Producers and collectors run meanwhile."""
        threads = [*self._producers, *self._collectors]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._no_more.set()
            self._ended.set()
            for thread in threads:
                thread.join()

    def end_production(self) -> None:
        """No more is sent; what was begun is sent to its end."""
        self._no_more.set()
        for thread in self._producers:
            thread.join()

    # --- producers --------------------------------------------------------------------------------------------------

    def _produce(self, producer: int, chance: random.Random) -> None:
        number, due = 0, time.monotonic()
        again: list[str] = []
        while not self._no_more.is_set():
            ledger = Ledger()
            bodies = [*again]
            while len(bodies) < CALL_ENTRIES:
                bodies.append(self._body(f"{producer}-{number}", chance, ledger))
                number += 1
            again = [body for body in bodies if chance.random() < AGAIN_SHARE]
            self._send(bodies)
            with self._lock:
                self.ledger.good |= ledger.good
                self.ledger.bad |= ledger.bad
                self.ledger.messages += len(bodies)
            due = max(due + self._pause, time.monotonic() - 1)
            self._no_more.wait(max(0.0, due - time.monotonic()))

    def _body(self, name: str, chance: random.Random, ledger: Ledger) -> str:
        """An envelope; with a bad record among its records now and then, or none at all."""
        if chance.random() < self._bad_share / 10:
            body = json.dumps({"dataset": DATASET, "cut off": name})[:-1]
            ledger.bad[body] = "not_json"
            return body
        batch_id = str(UUID(int=chance.getrandbits(128)))
        records = []
        for position in range(chance.randint(1, self._most_records)):
            service = f"{name}-{position}"
            if chance.random() >= self._bad_share:
                ledger.good.add(service)
                records.append(monitored(service, count=position))
                continue
            bad, reason = chance.choice(
                (
                    ({"service": service}, "schema_violation"),
                    (monitored(service, count="many"), "schema_violation"),
                    (monitored(f"{service}\0"), "nul_character"),
                )
            )
            ledger.bad[f"{batch_id}/{position}"] = reason
            records.append(bad)
        return json.dumps({"dataset": DATASET, "id": batch_id, "records": records})

    def _send(self, bodies: list[str]) -> None:
        """Send until SQS has taken every one."""
        left = list(bodies)
        while left:
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(left)]
            try:
                answer = self._rig.deployment.sqs.send_message_batch(
                    QueueUrl=self._rig.deployment.buffer, Entries=entries
                )
                left = [left[int(one["Id"])] for one in answer.get("Failed", ())]
            except (BotoCoreError, ClientError):
                self.ledger.failed_calls += 1
                time.sleep(0.2)

    # --- collectors -------------------------------------------------------------------------------------------------

    def _collect(self, queue: str, take: Any) -> None:
        sqs = self._rig.deployment.sqs
        while not self._ended.is_set():
            try:
                found = sqs.receive_message(
                    QueueUrl=queue,
                    MaxNumberOfMessages=10,
                    MessageAttributeNames=["All"],
                    WaitTimeSeconds=1,
                ).get("Messages", ())
                for message in found:
                    take(message)
                if found:
                    entries = [
                        {"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]}
                        for index, one in enumerate(found)
                    ]
                    sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
            except (BotoCoreError, ClientError):
                time.sleep(0.2)

    def _take_letter(self, message: dict[str, Any]) -> None:
        attributes = message.get("MessageAttributes") or {}
        reason = attributes.get("reason", {}).get("StringValue", "redriven")
        self.arrivals.letters.setdefault(letter_key(message["Body"]), Counter())[reason] += 1

    def _take_event(self, message: dict[str, Any]) -> None:
        self.arrivals.events[json.loads(message["Body"])["data"]["sequence"]] += 1

    # --- the end ----------------------------------------------------------------------------------------------------

    def await_all(self, seconds: float = 300.0) -> None:
        """Wait until the buffer is empty, every letter and every event is there."""
        rig = self._rig

        def is_done() -> bool:
            if rig.deployment.counts(rig.deployment.buffer) != (0, 0):
                return False
            if self.ledger.bad.keys() - self.arrivals.letters.keys():
                return False
            [(commits,)] = rig.store.fetch("SELECT count(*) FROM sluice.output_commits")
            return len(self.arrivals.events) >= commits

        until(is_done, lambda: f"{self.findings()}", seconds)

    def findings(self) -> Figures:
        """The figures, and as `problems` whatever must not be."""
        stored = Counter(service for (service,) in self._rig.store.rows("service"))
        commits = self._rig.store.commits()
        letters, bad, events = self.arrivals.letters, self.ledger.bad, self.arrivals.events
        sequences = {row[0] for row in commits}
        problems = {
            "missing rows": self.ledger.good - stored.keys(),
            "unexpected rows": stored.keys() - self.ledger.good,
            "doubled rows": {service for service, times in stored.items() if times > 1},
            "missing letters": bad.keys() - letters.keys(),
            "unexpected letters": letters.keys() - bad.keys(),
            "letters of another reason": {
                key for key, reasons in letters.items() if key in bad and set(reasons) != {bad[key]}
            },
            "gaps in the sequence": sequences ^ set(range(1, len(commits) + 1)),
            "commits that do not add up": {
                row[0] for row in commits if row[1] != row[2] + row[3] + row[4] or row[3]
            },
            "rows that no commit tells of": {sum(row[2] for row in commits)} - {sum(stored.values())},
            "missing events": sequences - events.keys(),
            "events of no commit": events.keys() - sequences,
        }
        return {
            "sent_messages": self.ledger.messages,
            "rows": sum(stored.values()),
            "letters": len(letters),
            "letters_again": sum(sum(one.values()) - 1 for one in letters.values()),
            "commits": len(commits),
            "events": len(events),
            "events_again": events.total() - len(events),
            "problems": [
                f"{what}: {len(which)}, {sorted(which, key=str)[:_SHOWN]}"
                for what, which in problems.items()
                if which
            ],
        }


def letter_key(body: str) -> str:
    """A letter's record by its identity, or the body itself where no record could be read."""
    try:
        origin = json.loads(body)["origin"]
        return f"{origin['id']}/{origin['position']}"
    except (ValueError, KeyError, TypeError):
        return body
