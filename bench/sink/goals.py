"""What the sink is to reach, and whether this run did: its best run, and the median of the rounds against others."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.sink.measure import Drain, Idle, Load

MIB = 120
TIMES = {"mq-bridge": 1.4, "redpanda-connect": 2.2}  # single records: this sink's rows/s to the peer's
SINGLE_CPU = 35  # us a row
ENVELOPE_CPU = 8
ENVELOPE_RATE = 80_000  # records/s
OF_COPY = 0.5  # of one connection's COPY at the same batch size
START_SECONDS = 1.0
IDLE_SHARE = 0.01


@dataclass(frozen=True)
class Goal:
    """One goal, what was found, and whether that is enough."""

    text: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        """One line."""
        return f"  {'met   ' if self.is_met else 'MISSED'}  {self.text}: {self.found}"


def by_round(mine: Sequence[Drain], others: Sequence[Drain]) -> float:
    """How many times the other's rate this sink reached in the same round: the median of all rounds."""
    return statistics.median(one.rate / other.rate for one, other in zip(mine, others, strict=True))


def of_drains(load: Load, done: Mapping[str, Sequence[Drain]], ours: str) -> Iterator[Goal]:
    """The goals for one load; those against peers that took no part are left out."""
    if ours not in done:
        return
    rate, cost = max(run.rate for run in done[ours]), min(run.cpu_each for run in done[ours])
    memory = max(run.memory for run in done[ours])
    if load.records == 1:
        for peer, least in TIMES.items():
            if peer in done:
                times = by_round(done[ours], done[peer])
                yield Goal(f"{least} times {peer}", f"{times:.2f}", times >= least)
        yield Goal(f"at most {SINGLE_CPU} us of CPU a row", f"{cost:.1f}", cost <= SINGLE_CPU)
    else:
        yield Goal(f"{ENVELOPE_RATE:,} records/s", f"{rate:,.0f}", rate >= ENVELOPE_RATE)
        if "copy" in done:
            share = by_round(done[ours], done["copy"])
            yield Goal(f"{OF_COPY} of COPY", f"{share:.2f}", share >= OF_COPY)
        yield Goal(f"at most {ENVELOPE_CPU} us of CPU a record", f"{cost:.1f}", cost <= ENVELOPE_CPU)
    yield Goal(f"peak memory under {MIB} MiB", f"{memory:.0f}", memory < MIB)


def of_idle(found: Idle) -> Iterator[Goal]:
    """The goals for a start and an empty queue."""
    yield Goal(
        f"first receive within {START_SECONDS:.0f} s", f"{found.start:.2f}", found.start < START_SECONDS
    )
    yield Goal(f"idle under {IDLE_SHARE:.0%}", f"{found.cpu_share:.2%}", found.cpu_share < IDLE_SHARE)
