"""Receive until there is a batch: full, or old enough, or the queue has nothing more to give."""

from __future__ import annotations

import time

from sink_runtime.admission import Admission
from sink_runtime.delivery import Delivery
from sink_runtime.faults import Fault
from sink_runtime.patience import Patience
from sink_runtime.plan import SinkPlan
from sink_runtime.queue import Queue

# A long poll is never broken off: the service may have handed out messages already, to be hidden until their
# visibility timeout. So it is also what an idle sink may take to stop.
LONG_POLL_SECONDS = 5
BATCH_BYTES = 8 * 1024 * 1024  # of bodies; one receive may go beyond by up to ten messages


class Collector:
    """The one receiver of a sink."""

    def __init__(self, queue: Queue, admission: Admission, plan: SinkPlan, patience: Patience) -> None:
        self._queue = queue
        self._admission = admission
        self._plan = plan
        self._patience = patience

    def collect(self) -> list[Delivery]:
        """What arrived within one long poll and the linger time after it; empty where nothing did.

        Raises StoppingError where the sink is to stop and the queue cannot be reached.
        """
        deliveries = self._patience.until(lambda: self._receive(LONG_POLL_SECONDS))
        closes = time.monotonic() + self._plan.linger_ms / 1000
        while deliveries and not self._is_full(deliveries) and time.monotonic() < closes:
            try:
                more = self._receive(0)
            except Fault:  # what is here is written first; the next collect tells of the fault
                break
            if not more:
                break
            deliveries += more
        return deliveries

    def _receive(self, wait_seconds: int) -> list[Delivery]:
        return [self._admission.read(message) for message in self._queue.receive(wait_seconds)]

    def _is_full(self, deliveries: list[Delivery]) -> bool:
        records = sum(len(delivery.records) + len(delivery.refused) for delivery in deliveries)
        size = sum(len(delivery.message.body) for delivery in deliveries)
        return self._patience.stop.is_set() or records >= self._plan.batch_records or size >= BATCH_BYTES
