"""`python -m tests.campaigns.sink.overlap`: two and four sinks at once, deployed anew every few seconds, by two plans.

    python -m tests.campaigns.sink.overlap --minutes 3

Each deploy starts a sink, waits until it receives, and asks the oldest one to stop. In the first third all are of the old
plan; then the table gets two more columns, and old and new sinks take turns, as in a rollback; in the last third all are
of the new one. No message may be received twice but for what a stopping sink gave back.
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from dataclasses import replace
from functools import partial

from compiler.dataset import Dataset, Text
from compiler.emit.sink import sink_plan
from compiler.migrate.apply import apply_chain
from sink_runtime import settings as names
from tests.campaigns.sink.receipts import Receipts
from tests.campaigns.sink.results import Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import staged
from tests.campaigns.sink.traffic import Traffic
from tests.faults.rig import Rig
from tests.migrate.changing import grown
from tests.migrate.conftest import chain_of, writer
from tests.sink.datasets import column
from tests.sink.deployment import Sink
from tests.support.waiting import until

VISIBILITY_SECONDS = 30
RECEIVES = 10
RECORDS_A_SECOND = 120
STOP_SECONDS = 60
PAUSE_SECONDS = (0.5, 4.0)  # between two deploys
MOST_RECEIVES = 2  # of one message, give-backs not counted


class Fleet:
    """Sinks of one dataset, the oldest first."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._running: deque[Sink] = deque()
        self._stopping: list[Sink] = []
        self.deploys = 0

    def start(self, plan: str) -> None:
        """A new sink, once it receives."""
        sink = self._rig.start(**{names.PLAN: plan})
        until(lambda: self._receives(sink), self._rig.tell)
        self._running.append(sink)

    def deploy(self, plan: str) -> None:
        """A new sink in the oldest one's place."""
        self.start(plan)
        old = self._running.popleft()
        old.process.terminate()
        self._stopping.append(old)
        self.deploys += 1

    def exit_codes(self) -> set[int]:
        """Of all that were stopped, once they have ended."""
        return {sink.process.wait(STOP_SECONDS) for sink in self._stopping}

    def _receives(self, sink: Sink) -> bool:
        """It has registered with Postgres, which comes before its first receive."""
        assert sink.process.poll() is None, self._rig.tell()
        query = f"SELECT 1 FROM sluice.sink_instances WHERE instance LIKE '%:{sink.process.pid}:%'"
        return bool(self._rig.store.fetch(query))


def overlap(sinks: int, seconds: float, seed: int) -> Figures:
    """So many sinks, deployed anew for so long."""
    chance = random.Random(seed)
    with (
        staged(visibility_timeout_seconds=VISIBILITY_SECONDS, max_receive_count=RECEIVES) as rig,
        Receipts(rig.aws).counting() as receipts,
        Traffic(rig, seed, rate=RECORDS_A_SECOND).running() as traffic,
    ):
        old, new = _plans(rig)
        fleet = Fleet(rig)
        for _ in range(sinks):
            fleet.start(old)
        by_plan = {"old": 0, "new": 0}
        for third, plans in enumerate((("old",), ("old", "new"), ("new",))):
            if third == 1:
                _expand(rig)
            ends = time.monotonic() + seconds / 3
            while time.monotonic() < ends:
                time.sleep(chance.uniform(*PAUSE_SECONDS))
                chosen = plans[fleet.deploys % len(plans)]
                by_plan[chosen] += 1
                fleet.deploy(old if chosen == "old" else new)
        traffic.end_production()
        traffic.await_all()
        exits = fleet.exit_codes()
        found = traffic.findings()
    beyond = receipts.beyond()
    if max(beyond) > MOST_RECEIVES:
        found["problems"].append(f"received too often: {dict(beyond)}")
    if exits != {0}:
        found["problems"].append(f"exit codes: {sorted(exits)}")
    return {
        "sinks": sinks,
        "deploys": fleet.deploys,
        "deploys_by_plan": by_plan,
        "given_back": receipts.given_back.total(),
        "messages_by_receives": {str(times): messages for times, messages in sorted(beyond.items())},
        **found,
    }


def _plans(rig: Rig) -> tuple[str, str]:
    """Where the old plan and the new one are."""
    new = rig.deployment.folder / "new.json"
    newer = sink_plan(_wider(rig.store.dataset), (rig.store.dataset.record_sha256,))
    changed = {
        name: getattr(rig.store.plan, name) for name in ("visibility_timeout_seconds", "max_receive_count")
    }
    new.write_bytes(replace(newer, **changed).to_bytes())
    return rig.deployment.environment[names.PLAN], str(new)


def _wider(dataset: Dataset) -> Dataset:
    more = (column("region", Text()), column("zone", Text(), default="a"))
    return replace(dataset, columns=(*dataset.columns, *more))


def _expand(rig: Rig) -> None:
    old = rig.store.dataset
    apply_chain(rig.conninfo, grown(chain_of(old), _wider(old)), writer(old), old.owner)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=3.0, help="for each number of sinks")
    found = options.parse_args()
    results = Results("overlap", found.folder)
    return exit_code(
        [
            results.part(
                f"{sinks} sinks for {found.minutes:g} min, seed {found.seed}",
                partial(overlap, sinks, found.minutes * 60, found.seed),
            )
            for sinks in (2, 4)
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
