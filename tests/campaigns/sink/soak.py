"""`python -m tests.campaigns.sink.soak`: steady traffic for a long time, and what the sink holds meanwhile.

    python -m tests.campaigns.sink.soak --minutes 15 --rate 1000

Memory is sampled, and its slope after the warm-up must be flat; threads and connections to Postgres must stay as they were.
File descriptors must not grow: a connection to SQS that is made anew is two for a moment.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial

import psutil

from tests.campaigns.sink.results import Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import direct, staged
from tests.campaigns.sink.traffic import Traffic
from tests.faults.rig import Rig
from tests.support.waiting import until

SAMPLE_SECONDS = 5.0
WARM_UP_SHARE = 0.2
MOST_RECORDS = 19  # of an envelope: ten on average
BAD_SHARE = 0.001
MORE_DESCRIPTORS = 2  # than the fewest, at any moment
FLAT_BYTES = 8 * 2**20  # growth from the warm-up to the end, by the slope


@dataclass(frozen=True)
class Sample:
    """What the sink holds at a moment: bytes of memory, and how many of each of the others."""

    seconds: float
    rss: int
    threads: int
    descriptors: int
    connections: int


def soak(minutes: float, rate: float, seed: int) -> Figures:
    """So many minutes of traffic."""
    with (
        staged(publish_events=True) as rig,
        Traffic(rig, seed, rate=rate, most_records=MOST_RECORDS, bad_share=BAD_SHARE).running() as traffic,
    ):
        process = psutil.Process(rig.start(**direct(rig)).process.pid)
        until(lambda: bool(rig.store.fetch("SELECT FROM sluice.output_commits LIMIT 1")), rig.tell)
        begun, used = time.monotonic(), _cpu(process)
        samples = []
        while (passed := time.monotonic() - begun) < minutes * 60:
            samples.append(_sample(rig, process, passed))
            time.sleep(SAMPLE_SECONDS)
        behind = sum(rig.deployment.counts(rig.deployment.buffer))
        share = (_cpu(process) - used) / (time.monotonic() - begun)
        traffic.end_production()
        traffic.await_all()
        found = traffic.findings()
    warm = [one for one in samples if one.seconds >= WARM_UP_SHARE * minutes * 60]
    slope = statistics.linear_regression([one.seconds for one in warm], [one.rss for one in warm]).slope
    span = warm[-1].seconds - warm[0].seconds
    constant = {what: sorted({getattr(one, what) for one in warm}) for what in ("threads", "connections")}
    found["problems"] += [f"not constant: {what} {seen}" for what, seen in constant.items() if len(seen) > 1]
    descriptors = [one.descriptors for one in warm]
    found["problems"] += _growth(descriptors)
    if slope * span > FLAT_BYTES:
        found["problems"].append(f"memory grows by {slope * 3600 / 2**20:.1f} MiB an hour")
    return {
        "minutes": minutes,
        "records_a_second": round(found["rows"] / minutes / 60),
        "messages_behind_at_the_end": behind,
        "cpu_share": round(share, 2),
        "rss_mib": [round(one.rss / 2**20, 1) for one in samples[:: max(1, len(samples) // 30)]],
        "rss_mib_after_warm_up": [round(min(one.rss for one in warm) / 2**20, 1), round(max(one.rss for one in warm) / 2**20, 1)],
        "slope_mib_an_hour": round(slope * 3600 / 2**20, 2),
        **constant,
        "descriptors": {str(many): descriptors.count(many) for many in sorted(set(descriptors))},
        **found,
    }  # fmt: skip


def _growth(descriptors: list[int]) -> list[str]:
    """Does the last quarter of the samples hold more than the first, or any of them many more than the fewest?"""
    quarter = max(1, len(descriptors) // 4)
    first, last = statistics.median(descriptors[:quarter]), statistics.median(descriptors[-quarter:])
    if last > first or max(descriptors) - min(descriptors) > MORE_DESCRIPTORS:
        return [
            f"descriptors grow: from {first:g} to {last:g}, between {min(descriptors)} and {max(descriptors)}"
        ]
    return []


def _sample(rig: Rig, process: psutil.Process, seconds: float) -> Sample:
    with process.oneshot():
        connections = rig.store.fetch(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'sluice sink%'"
        )[0][0]
        return Sample(
            seconds, process.memory_info().rss, process.num_threads(), process.num_fds(), connections
        )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=15.0)
    options.add_argument("--rate", type=float, default=1000.0, help="records a second")
    found = options.parse_args()
    results = Results("soak", found.folder)
    key = f"{found.minutes:g} min of {found.rate:g} records a second, seed {found.seed}"
    return exit_code([results.part(key, partial(soak, found.minutes, found.rate, found.seed))])


if __name__ == "__main__":
    sys.exit(main())
