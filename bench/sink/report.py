"""The figures as text: the best run counts, since a busy machine only adds; the median stands beside it."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Mapping, Sequence

from bench.sink import goals
from bench.sink.measure import Drain, Idle, Latency, Load


def progress(load: Load, name: str, run: Drain) -> None:
    """One run, at once, for who watches; the table comes when all are done."""
    text = f"  {load.title}, {name}: {run.rate:,.0f} rows/s, {run.cpu_each:.1f} us CPU a row\n"
    sys.stderr.write(text)
    sys.stderr.flush()


def drains(load: Load, names: Sequence[str], done: Mapping[str, Sequence[Drain]], ours: str) -> None:
    """One line a contender. Ratios are of this sink to the peer: best to best, and the median of the rounds, since what
    else the machine does comes and goes over minutes, and the runs of a round are neighbours.
    """
    print(
        f"\n{load.title}: {load.messages:,} messages, {load.rows:,} rows; load average {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{'':18}{'rows/s best':>12}{'median':>10}{'CPU us/row':>12}{'median':>8}{'ratio':>8}{'by round':>10}{'CPU ratio':>11}"
        f"{'MiB':>6}{'rows/commit':>13}{'again':>7}{'Postgres us':>13}{'server us':>11}{'all us':>8}"
    )
    mine = done.get(ours)
    for name in names:
        print(_drain(name, done[name], mine))
    for goal in goals.of_drains(load, done, ours):
        print(goal)


def _drain(name: str, runs: Sequence[Drain], mine: Sequence[Drain] | None) -> str:
    rates, costs = [run.rate for run in runs], [run.cpu_each for run in runs]
    fastest = max(runs, key=lambda run: run.rate)
    ratio = (
        f"{max(run.rate for run in mine) / max(rates):8.2f}{goals.by_round(mine, runs):10.2f}"
        if mine
        else " " * 18
    )
    cost_ratio = f"{min(run.cpu_each for run in mine) / max(min(costs), 0.01):11.2f}" if mine else f"{'':11}"
    return (
        f"{name:18}{max(rates):12,.0f}{statistics.median(rates):10,.0f}{min(costs):12.1f}{statistics.median(costs):8.1f}"
        f"{ratio}{cost_ratio}{max(run.memory for run in runs):6.0f}{fastest.rows / fastest.commits:13,.0f}"
        f"{sum(run.again for run in runs):7}"
        f"{fastest.postgres_cpu / fastest.rows * 1e6:13.1f}{fastest.server_cpu / fastest.rows * 1e6:11.1f}"
        f"{(fastest.cpu + fastest.postgres_cpu + fastest.server_cpu) / fastest.rows * 1e6:8.1f}"
    )


def latencies(rate: int, done: Mapping[str, Sequence[Latency]]) -> None:
    """From send to commit."""
    print(f"\nfrom send to commit, {rate:,} single records a second")
    print(f"{'':18}{'p50 ms':>9}{'p99 ms':>9}{'CPU us/row':>12}{'commits':>9}")
    for name, runs in done.items():
        best = min(runs, key=lambda run: run.late)
        print(f"{name:18}{best.median:9.1f}{best.late:9.1f}{best.cpu_each:12.1f}{best.commits:9}")


def idles(done: Mapping[str, Idle]) -> None:
    """With nothing to do."""
    for name, found in done.items():
        print(
            f"\n{name}: first receive {found.start:.2f} s after the start, {found.start_cpu:.2f} s of CPU; "
            f"idle {found.cpu_share:.2%} of a processor, {found.memory:.0f} MiB resident"
        )
        for goal in goals.of_idle(found):
            print(goal)
