"""Whether the sink is alive, and whether it is ready: two questions, and waiting for something is an answer to the second.

A sink that waits for a dependency is healthy: to kill it in an outage helps nobody. It is unhealthy when a thread is
dead, or hangs for no reason that anybody told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sink_runtime.faults import Fault
from sink_runtime.pipeline.shared import Shared
from sink_runtime.worker import Worker

# Every call has a timeout of its own: a long poll of 5 s and its answer 20, a statement 30, a connection 5; an answer that
# waits for its room is looked at again and again. So a thread that got nowhere for as long as this hangs in the sink itself.
STUCK_SECONDS = 300.0


@dataclass(frozen=True)
class Readiness:
    """Whether messages are received, and what is waited for: a dependency and why, in words that are safe to show.

    Something may be waited for while messages are received: the topic keeps no record from being written.
    """

    is_ready: bool
    state: str  # "starting", "running" or "ending"
    waits_for: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """What `/readyz` answers."""
        return {"ready": self.is_ready, "state": self.state, "waits_for": dict(self.waits_for)}


def complaints(workers: Sequence[Worker], shared: Shared, bound: float = STUCK_SECONDS) -> list[str]:
    """What is wrong with the sink's threads; empty while it is healthy, and once it was asked to end."""
    if shared.patience.stop.is_set():  # threads end as they should, within the time that the end may take
        return []
    waiting = shared.patience.waiting
    return list(_complaints(workers, waiting, bound))


def _complaints(workers: Sequence[Worker], waiting: Mapping[str, Fault], bound: float) -> Iterator[str]:
    for worker in workers:
        if worker.has_ended:
            yield f"{worker.name} is dead"
        elif worker.name not in waiting and worker.seconds_in_turn > bound:
            yield f"{worker.name} got nowhere for {worker.seconds_in_turn:.0f} s"


def readiness(shared: Shared) -> Readiness:
    """Whether the sink receives, at this moment."""
    closed = shared.gate.closed_for
    ending = shared.patience.stop.is_set()
    waits = waits_for([*shared.patience.waiting.values(), *closed.values()])
    return Readiness(not closed and not ending, "ending" if ending else "running", waits)


def waits_for(faults: Sequence[Fault]) -> dict[str, str]:
    """Dependencies and why, one for each."""
    return dict(sorted({fault.dependency: fault.text for fault in faults}.items()))
