"""`python -m tests.campaigns.sink.outages`: long outages of Postgres, SQS, its queues and SNS, under traffic.

    python -m tests.campaigns.sink.outages --seconds 200

Each lasts several times what all receives of a message last (visibility timeout times maxReceiveCount), on servers of its
own, all at once. Within, one sink is killed and another asked to stop. Nothing may be dead-lettered for an outage,
nothing lost or doubled; told is how long it takes to catch up.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from tests.campaigns.sink.results import Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import staged
from tests.campaigns.sink.traffic import Traffic
from tests.faults.rig import Rig
from tests.support.proxies.aws import Answer, Behaviour, Call
from tests.support.proxies.behaviours import refuse
from tests.support.waiting import until

VISIBILITY_SECONDS = 10
RECEIVES = 3
RECORDS_A_SECOND = 60
BEFORE_SECONDS = 10.0  # of traffic, before the outage and after it
STOP_SECONDS = 60  # a sink that is asked to stop has 45 to do so
CATCH_UP_SECONDS = 300.0


@contextmanager
def _postgres(rig: Rig) -> Iterator[None]:
    rig.postgres.refuse()
    yield
    rig.postgres.accept()


@contextmanager
def _without(*actions: str, rig: Rig) -> Iterator[None]:
    """The service drops connections and answers 503, by turns."""
    rules = [rig.aws.on(action, _by_turns()) for action in actions]
    yield
    for rule in rules:
        rule.end()


def _by_turns() -> Behaviour:
    unavailable = refuse("ServiceUnavailable", 503)
    lock, calls = threading.Lock(), iter(range(2**62))

    def behave(call: Call) -> Answer | None:
        with lock:
            number = next(calls)
        return unavailable(call) if number % 2 else None

    return behave


OUTAGES = {
    "postgres": _postgres,
    "sqs": lambda rig: _without(
        "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "SendMessageBatch", rig=rig
    ),
    "deletes": lambda rig: _without("DeleteMessageBatch", rig=rig),
    "dead-letter queue": lambda rig: _without("SendMessageBatch", rig=rig),
    "sns": lambda rig: _without("Publish", rig=rig),
}


def outlast(outage: Callable, seconds: float, seed: int) -> Figures:
    """One outage, from the traffic before it to the last event after it."""
    plan = {"visibility_timeout_seconds": VISIBILITY_SECONDS, "max_receive_count": RECEIVES}
    with (
        staged(**plan) as rig,
        Traffic(rig, seed, rate=RECORDS_A_SECOND).running() as traffic,
    ):
        sink = rig.start_ready()
        time.sleep(BEFORE_SECONDS)
        before = len(rig.aws.calls)
        with outage(rig):
            time.sleep(seconds / 3)
            rig.kill(sink)
            sink = rig.start()
            time.sleep(seconds / 3)
            sink.process.terminate()
            second = rig.start()
            assert sink.process.wait(STOP_SECONDS) == 0, rig.tell()
            time.sleep(seconds / 3)
            backlog = sum(rig.deployment.counts(rig.deployment.buffer))
            calls = len(rig.aws.calls) - before
            waits = sum(len(one.events("waiting")) for one in rig.deployment.sinks)
        ended = time.monotonic()
        wanted = set(traffic.ledger.good)
        until(lambda: _are_stored(wanted, rig), seconds=CATCH_UP_SECONDS)
        caught_up = time.monotonic() - ended
        time.sleep(BEFORE_SECONDS)
        traffic.end_production()
        traffic.await_all()
        assert second.process.poll() is None, rig.tell()
        return {
            "outage_seconds": seconds,
            "times_all_receives": round(seconds / VISIBILITY_SECONDS / RECEIVES, 1),
            "backlog_messages": backlog,
            "catch_up_seconds": round(caught_up, 1),
            "aws_calls_meanwhile": calls,
            "attempts_meanwhile": waits,
            **traffic.findings(),
        }


def _are_stored(wanted: set[str], rig: Rig) -> bool:
    """Looks once a second: the proxies need the time of this process, too."""
    time.sleep(1.0)
    return wanted <= set(rig.stored())


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=200.0)
    found = options.parse_args()
    results = Results("outages", found.folder)

    def part(name: str) -> Figures:
        key = f"{name} away for {found.seconds:g} s, seed {found.seed}"
        return results.part(key, partial(outlast, OUTAGES[name], found.seconds, found.seed))

    with ThreadPoolExecutor(len(OUTAGES)) as pool:
        return exit_code(list(pool.map(part, OUTAGES)))


if __name__ == "__main__":
    sys.exit(main())
