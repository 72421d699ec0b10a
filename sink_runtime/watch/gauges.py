"""The sink's state at the moment of asking, as metrics: read from where it is kept, at no cost to the work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sink_runtime.pipeline.metrics import COMMON, PREFIX
from sink_runtime.pipeline.shared import Shared
from sink_runtime.worker import Worker

Values = Iterable[tuple[tuple[str, ...], float]]

# The seven services and things that a sink may wait for, each a series of its own from the start.
DEPENDENCIES = (
    "buffer",
    "credentials",
    "dead_letters",
    "plan",
    "postgres",
    "secret",
    "topic",
)


class Gauges(Collector):
    """Reads one sink; `workers` are its threads."""

    def __init__(self, shared: Shared, workers: Sequence[Worker], plan_sha256: str, sink: str) -> None:
        self._shared = shared
        self._workers = workers
        self._common = shared.metrics.common
        self._info = (plan_sha256, sink)

    def collect(self) -> Iterator[Metric]:
        """Every metric with its values now."""
        yield self._one(
            "info", "Which plan and which sink run here; always 1.", self._info_values(), "plan", "sink"
        )
        yield from self._in_hand()
        yield from self._waiting()
        yield self._one(
            "pace_records",
            "Records that a batch holds at most at present.",
            self._plain(self._shared.pace.records),
        )
        yield self._one(
            "worker_up",
            "Whether a thread runs.",
            self._by_worker([float(one.is_alive) for one in self._workers]),
            "worker",
        )
        yield self._one(
            "worker_idle_seconds",
            "Seconds since a thread last got on: a turn, a statement, the end of a wait.",
            self._by_worker([one.seconds_in_turn for one in self._workers]),
            "worker",
        )

    def _in_hand(self) -> Iterator[Metric]:
        shared = self._shared
        messages, held, reserved = shared.custody.counts()
        yield self._one(
            "held_messages",
            "Messages in hand: received, and not yet deleted or given back.",
            self._plain(messages),
        )
        yield self._one("held_bytes", "Bytes of the bodies in hand.", self._plain(held))
        yield self._one("reserved_bytes", "Bytes kept free for receives under way.", self._plain(reserved))
        oldest, receives = _oldest(shared)
        yield self._one(
            "oldest_held_seconds",
            "Age, since it was sent, of the oldest message in hand; 0 with none.",
            self._plain(oldest),
        )
        yield self._one(
            "most_receives", "Highest receive count of a message in hand; 0 with none.", self._plain(receives)
        )
        records, size = shared.intake.counts()
        yield self._one("intake_records", "Records that wait for a writer.", self._plain(records))
        yield self._one("intake_bytes", "Bytes that wait for a writer.", self._plain(size))
        deletes, rejects = shared.settlement.counts()
        yield self._one(
            "delete_calls_waiting",
            "Delete calls of up to ten messages that wait for the deleter.",
            self._plain(deletes),
        )
        yield self._one(
            "rejects_waiting", "Messages with refused records that wait to be seen to.", self._plain(rejects)
        )

    def _waiting(self) -> Iterator[Metric]:
        closed = {fault.dependency for fault in self._shared.gate.closed_for.values()}
        known = sorted({*DEPENDENCIES, *closed})
        yield self._one(
            "gate_closed",
            "1 while nothing is received because this dependency is not as it must be.",
            [((name,), float(name in closed)) for name in known],
            "dependency",
        )
        waits = self._shared.patience.waits()
        yield self._one(
            "waits",
            "Attempts that failed and are made again, by dependency.",
            [((name,), float(waits.get(name, 0))) for name in sorted({*DEPENDENCIES, *waits})],
            "dependency",
            kind=CounterMetricFamily,
        )

    def _info_values(self) -> Values:
        return [(self._info, 1.0)]

    def _plain(self, value: float) -> Values:
        return [((), value)]

    def _by_worker(self, values: Sequence[float]) -> Values:
        return [((worker.name,), value) for worker, value in zip(self._workers, values, strict=True)]

    def _one(
        self,
        name: str,
        about: str,
        values: Values,
        *labels: str,
        kind: type[GaugeMetricFamily | CounterMetricFamily] = GaugeMetricFamily,
    ) -> Metric:
        family = kind(PREFIX + name, about, labels=(*COMMON, *labels))
        for more, value in values:
            family.add_metric((*self._common, *more), value)
        return family


def _oldest(shared: Shared) -> tuple[float, int]:
    """Age in seconds of the oldest message in hand, and the highest receive count."""
    held = shared.custody.messages()
    if not held:
        return 0.0, 0
    sent = min([message.sent_ms for message in held]) / 1000
    return max(0.0, time.time() - sent), max([message.receives for message in held])
