"""`python -m tests.campaigns.sink.kills`: SIGKILL at random moments and at every place of the sink, under traffic.

    python -m tests.campaigns.sink.kills --kills 1000

Two sinks of one dataset live and die side by side while four producers send, in rounds with servers of their own. Half of
the lives end at a random moment, the others at a place that `killable` knows. After each round one sink drains the rest:
then rows equal what was sent, none twice, dead letters are the bad records, commits add up, each was announced.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.campaigns.sink.killable import PLACES
from tests.campaigns.sink.results import ROOT, Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import direct, staged
from tests.campaigns.sink.traffic import Traffic
from tests.faults.rig import Rig

ROUND = 250
SINKS = 2
VISIBILITY_SECONDS = 6
RECEIVES = 1000  # as many as SQS permits: here a kill, not the message, is why it comes again
RECORDS_A_SECOND = 150
LONGEST_LIFE = 3.0  # of those that end at a random moment
PATIENCE = 12.0  # for a place to be come to
MOST_PASSES = {"decoded": 30, "received": 8, "delete to be sent": 8, "deleted": 8}  # of others: 2


class Zygote:
    """A process that forks sinks, one at a time."""

    def __init__(self, rig: Rig, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.sink.killable"],
            env=rig.deployment.environment | direct(rig),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._log.close()

    def live(self, order: dict[str, Any], seconds: float) -> bool:
        """One life, at most so long; whether it ended by itself. Raises AssertionError where it did so by other means."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        self._pid = self._told("pid")
        late = threading.Event()
        pid = self._pid

        def end() -> None:
            late.set()
            os.kill(pid, signal.SIGKILL)

        timer = threading.Timer(seconds, end)
        timer.start()
        status = self._told("status")
        self._pid = 0
        timer.cancel()
        assert status == -signal.SIGKILL, f"a sink ended with {status} after {order}"
        return not late.is_set()

    def _told(self, what: str) -> int:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())[what]


class Slot:
    """One sink after the other; `deaths` counts where they died."""

    def __init__(self, rig: Rig, number: int, seed: str, orders: Orders) -> None:
        self._rig = rig
        self._chance = random.Random(f"{seed} slot {number}")
        self._orders = orders
        self._log = rig.deployment.folder / f"lives-{number}.log"
        self.deaths: Counter[str] = Counter()
        self.error = ""
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with Zygote(self._rig, self._log) as zygote:
                for place in self._orders:
                    self.deaths[self._life(zygote, place)] += 1
        except BaseException as error:  # noqa: BLE001 - told by the round
            self.error = f"{error!r}\n{self._log.read_text()[-3000:]}"

    def _life(self, zygote: Zygote, place: str) -> str:
        if place == "random":
            zygote.live({}, self._chance.uniform(0.1, LONGEST_LIFE))
            return place
        with self._prepared(place):
            passes = self._chance.randint(1, MOST_PASSES.get(place, 2))
            ended = zygote.live({"place": place, "passes": passes}, PATIENCE)
        return place if ended else "random"

    @contextmanager
    def _prepared(self, place: str) -> Iterator[None]:
        """What must be so that a sink comes to the place at all."""
        with ExitStack() as stack:
            if place.startswith("event"):
                stack.enter_context(self._lapsing_lease())
            if place.startswith("heartbeat"):
                stack.enter_context(self._slow_writes())
            yield

    @contextmanager
    def _lapsing_lease(self) -> Iterator[None]:
        """A publisher that died keeps its lease for half a minute; here that has always passed already."""
        done = threading.Event()

        def lapse() -> None:
            with psycopg.connect(**self._rig.conninfo, autocommit=True) as other:
                while not done.wait(0.2):
                    other.execute("UPDATE sluice.dataset_heads SET lease_until = now()")

        thread = threading.Thread(target=lapse)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextmanager
    def _slow_writes(self) -> Iterator[None]:
        """A message is extended only if it is held for long."""
        self._rig.store.execute("UPDATE datasets.slow SET seconds = 0.2")
        try:
            yield
        finally:
            self._rig.store.execute("UPDATE datasets.slow SET seconds = 0")


def one_round(kills: int, seed: str) -> Figures:
    """So many kills on servers of their own."""
    chance = random.Random(seed)
    places = list(itertools.islice(itertools.cycle(PLACES), kills // 2))
    planned = places + ["random"] * (kills - len(places))
    chance.shuffle(planned)
    with (
        staged(
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            max_receive_count=RECEIVES,
            batch_records=50,
        ) as rig,
        _slowable(rig),
        Traffic(rig, chance.randrange(2**32), rate=RECORDS_A_SECOND).running() as traffic,
    ):
        orders = Orders(planned)
        slots = [Slot(rig, number, seed, orders) for number in range(SINKS)]
        for slot in slots:
            slot.thread.start()
        try:
            for slot in slots:
                slot.thread.join()
        finally:
            orders.close()
        deaths = sum((slot.deaths for slot in slots), Counter())
        traffic.end_production()
        with ExitStack() as stack:
            sink = rig.start(**direct(rig))
            stack.callback(rig.kill, sink)
            traffic.await_all()
        found = traffic.findings()
        found["problems"] += [slot.error for slot in slots if slot.error]
        told = Counter(line["event"] for line in sink.lines())
        return {
            "kills": deaths.total(),
            "at": dict(sorted(deaths.items())),
            "last_sink_said": dict(sorted(told.items())),
            **found,
        }


@contextmanager
def _slowable(rig: Rig) -> Iterator[None]:
    """A switch that makes each row take its time."""
    rig.store.execute("CREATE TABLE datasets.slow AS SELECT 0.0::float AS seconds")
    rig.add_trigger("PERFORM pg_sleep(seconds) FROM datasets.slow WHERE seconds > 0")
    yield


class Orders:
    """Where lives are to end, for several threads; `close` leaves none."""

    def __init__(self, places: list[str]) -> None:
        self._lock = threading.Lock()
        self._left = list(places)

    def __iter__(self) -> Iterator[str]:
        while True:
            with self._lock:
                if not self._left:
                    return
                place = self._left.pop()
            yield place

    def close(self) -> None:
        with self._lock:
            self._left.clear()


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--round", type=int, default=ROUND, help="kills on one set of servers")
    found = options.parse_args()
    results = Results("kills", found.folder)
    sizes = [found.round] * (found.kills // found.round) + [found.kills % found.round]
    return exit_code(
        [
            results.part(
                f"{size} kills, seed {found.seed}-{number}",
                partial(one_round, size, f"{found.seed}-{number}"),
            )
            for number, size in enumerate(sizes, start=1)
            if size
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
