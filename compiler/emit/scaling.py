"""How many sinks run, by how much waits: step scaling in bands that follow from the manifest's latency target.

What counts is visible + in flight: what a sink has in hand is not stored yet. The first band ends where one task, at the
pace below, would need the whole latency target for what waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler import names
from compiler.dataset import Dataset
from compiler.emit import metrics
from compiler.emit.alarms import Alarm, Missing

MESSAGES_PER_SECOND = 100
"""What one task drains at least, in messages: envelopes of 100 records on half a CPU. Bare records go many times faster."""

OUT_COOLDOWN_SECONDS = 120
"""A task is pulled, started and seen in the metrics by then."""

IN_COOLDOWN_SECONDS = 300
QUIET_MINUTES = 15
"""Before a task is taken away: to start one again costs more than to keep it for a while."""

QUIET_SHARE = 4
"""A quarter of a band: a task less still has room, so that scaling does not swing."""


@dataclass(frozen=True)
class Step:
    """Between two distances from the alarm's threshold, in messages (None: without end): so many tasks more or less."""

    lower: int | None
    upper: int | None
    tasks: int


@dataclass(frozen=True)
class ScalingPolicy:
    """One step policy with the alarm that carries it out. `exact`: `tasks` is the number to run, not a change."""

    kind: str
    alarm: Alarm
    steps: tuple[Step, ...]
    cooldown_seconds: int
    exact: bool = False


def band(dataset: Dataset) -> int:
    """The messages that one task drains within the latency target. A target under a minute is seen once a minute."""
    return MESSAGES_PER_SECOND * max(metrics.PERIOD_SECONDS, dataset.sink.latency_target_seconds)


def policies_of(dataset: Dataset, prefix: str) -> tuple[ScalingPolicy, ...]:
    """More tasks, fewer tasks, and for a dataset that sleeps the one that wakes it; none where the number is fixed."""
    sink = dataset.sink
    if sink.min_tasks == sink.max_tasks:
        return ()
    queue = names.buffer_queue(prefix, dataset.name)
    wake = (_wake(queue),) if sink.min_tasks == 0 else ()
    return (_out(dataset, queue), _in(dataset, queue), *wake)


def _out(dataset: Dataset, queue: str) -> ScalingPolicy:
    """One more task over one band, two over three, and over ten all that there may be."""
    one = band(dataset)
    steps = (
        Step(0, 2 * one, 1),
        Step(2 * one, 9 * one, 2),
        Step(9 * one, None, dataset.sink.max_tasks),
    )
    alarm = Alarm(
        "scale_out",
        f"More than {one:,} messages wait or are in hand: more sinks are started.",
        _backlog(queue),
        "waiting + in_hand",
        one,
        minutes=1,
    )
    return ScalingPolicy("scale_out", alarm, steps, OUT_COOLDOWN_SECONDS)


def _in(dataset: Dataset, queue: str) -> ScalingPolicy:
    """One task less after a quiet time. Silence of the queue's metrics is quiet, too: nothing waits."""
    quiet = band(dataset) // QUIET_SHARE
    alarm = Alarm(
        "scale_in",
        f"Fewer than {quiet:,} messages wait or are in hand: a sink is stopped, down to sink.min_tasks. No reason to worry.",
        _backlog(queue),
        "waiting + in_hand",
        quiet,
        minutes=QUIET_MINUTES,
        missing=Missing.BAD,
        below=True,
    )
    return ScalingPolicy("scale_in", alarm, (Step(None, 0, -1),), IN_COOLDOWN_SECONDS)


def _wake(queue: str) -> ScalingPolicy:
    """Messages wait and none is in hand: nobody is at work. Of two policies the one with more tasks counts."""
    alarm = Alarm(
        "wake",
        "Messages wait and no sink runs: one is started.",
        _backlog(queue),
        "IF((waiting > 0) AND (in_hand == 0), 1, 0)",
        0,
        minutes=1,
    )
    return ScalingPolicy("wake", alarm, (Step(0, None, 1),), OUT_COOLDOWN_SECONDS, exact=True)


def _backlog(queue: str) -> tuple[metrics.Metric, ...]:
    return (
        metrics.of_queue("waiting", queue, metrics.VISIBLE),
        metrics.of_queue("in_hand", queue, metrics.IN_FLIGHT),
    )
