"""What a sink counts, by Prometheus' client: once a batch or a call, never once a record.

Every name begins with `sluice_sink_` and carries `dataset` and `version`. What is merely the state of a moment is not
counted here: `gauges` reads it when somebody asks.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from sink_runtime.records.delivery import Refused
from sink_runtime.records.reasons import Reason
from sink_runtime.sqs.queue import Received

PREFIX = "sluice_sink_"
COMMON = ("dataset", "version")
COMMIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
BATCH_RECORDS = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000)
# From a second to four days, the usual retention of a buffer.
AGE_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 345_600)

# By place, in C: this is asked of every message.
_RECEIVES = itemgetter(Received._fields.index("receives"))
_SENT_MS = itemgetter(Received._fields.index("sent_ms"))

Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class Metrics:
    """One sink's counters and histograms, in a registry of their own."""

    def __init__(self, dataset: str, version: int) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.common = (dataset, str(version))
        count = self._counter
        self._received = count("messages_received", "Messages received, redeliveries included.")
        self._again = count("messages_received_again", "Messages received that were received before.")
        self._messages = count("messages_committed", "Messages of the batches that were committed.")
        self._inserted = count("records_inserted", "Records that became a new row.")
        self._updated = count("records_updated", "Records that replaced an older row.")
        self._unchanged = count("records_unchanged", "Records that changed nothing: repeated, or older.")
        self._rejected = self._labelled(
            Counter,
            "records_rejected",
            "Records and bodies refused, by reason. One that is held, or whose message comes again, counts again.",
            "reason",
        )
        for reason in Reason:  # a counter that is not there yet has no increase when it comes
            self._rejected(str(reason))
        self._letters = count("dead_letters_sent", "Dead letters that the dead-letter queue took.")
        self._letters_refused = count(
            "dead_letters_refused",
            "Messages left to SQS' own redrive, since a dead letter of theirs is never taken.",
        )
        self._put_off = self._labelled(
            Counter, "messages_put_off", "Messages hidden for longer, to be received again, by why.", "why"
        )
        self._deleted = count("messages_deleted", "Messages deleted from the buffer.")
        self._delete_failures = count(
            "delete_failures",
            "Messages whose delete SQS refused one by one; they are tried again or come again.",
        )
        self._extended = count("visibility_extensions", "Messages whose visibility was extended.")
        self._extend_failures = count(
            "visibility_extension_failures", "Messages whose visibility could not be extended."
        )
        self._published = count("events_published", "Update events that the topic took.")
        self._seconds = self._histogram(
            "commit_seconds", "Seconds from a batch's first attempt to its commit.", COMMIT_SECONDS
        )
        self._records = self._histogram("batch_records", "Records of a committed batch.", BATCH_RECORDS)
        self._age = self._histogram(
            "age_seconds", "Seconds from the sending of a batch's oldest message to its commit.", AGE_SECONDS
        )
        self._unpublished = self._gauge(
            "unpublished_events", "Commits of this dataset, by any sink, whose event is not published yet."
        )
        self._unpublished_age = self._gauge(
            "oldest_unpublished_event_seconds", "Age of the oldest commit whose event is not published yet."
        )

    def received(self, messages: Sequence[Received]) -> None:
        """One receive that brought something."""
        self._received.inc(len(messages))
        if max(map(_RECEIVES, messages)) > 1:
            self._again.inc(sum([message.receives > 1 for message in messages]))

    def committed(self, messages: Sequence[Received], records: int, seconds: float) -> None:
        """A batch of so many records was committed, so long after its first attempt."""
        self._messages.inc(len(messages))
        self._records.observe(records)
        self._seconds.observe(seconds)
        self._age.observe(max(0.0, time.time() - min(map(_SENT_MS, messages)) / 1000))

    def wrote(self, inserted: int, updated: int, unchanged: int) -> None:
        """What became of a batch's records."""
        self._inserted.inc(inserted)
        self._updated.inc(updated)
        self._unchanged.inc(unchanged)

    def rejected(self, refused: Iterable[Refused]) -> Tally[str]:
        """Records of one batch were refused; how many for which reason."""
        found = Tally(str(one.rejection.reason) for one in refused)
        for reason, times in found.items():
            self._rejected(reason).inc(times)
        return found

    def letters_sent(self, letters: int) -> None:
        """The dead-letter queue took letters."""
        self._letters.inc(letters)

    def letter_refused(self) -> None:
        """A message is left to redrive."""
        self._letters_refused.inc()

    def put_off(self, messages: int, why: str) -> None:
        """Messages were hidden for longer."""
        self._put_off(why).inc(messages)

    def deleted(self, messages: int, failed: int) -> None:
        """A delete of so many messages, some of which failed."""
        self._deleted.inc(messages - failed)
        if failed:
            self._delete_failures.inc(failed)

    def extended(self, messages: int, failed: int) -> None:
        """An extension of so many messages' visibility, some of which failed."""
        self._extended.inc(messages - failed)
        if failed:
            self._extend_failures.inc(failed)

    def published(self) -> None:
        """The topic took one event."""
        self._published.inc()

    def unpublished(self, events: int, oldest_seconds: float) -> None:
        """The outbox was looked at."""
        self._unpublished.set(events)
        self._unpublished_age.set(oldest_seconds)

    def _counter(self, name: str, about: str) -> Counter:
        return self._made(Counter, name, about)

    def _gauge(self, name: str, about: str) -> Gauge:
        return self._made(Gauge, name, about)

    def _histogram(self, name: str, about: str, buckets: Sequence[float]) -> Histogram:
        made = Histogram(PREFIX + name, about, COMMON, registry=self.registry, buckets=buckets)
        return made.labels(*self.common)

    def _made(self, kind: type[Metric], name: str, about: str) -> Metric:
        return kind(PREFIX + name, about, COMMON, registry=self.registry).labels(*self.common)

    def _labelled(self, kind: type[Metric], name: str, about: str, label: str) -> partial[Metric]:
        made = kind(PREFIX + name, about, (*COMMON, label), registry=self.registry)
        return partial(made.labels, *self.common)
