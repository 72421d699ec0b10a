"""How a dataset is run, and how it ends: its buffer, the sinks that write it, when somebody is told, its tombstone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BufferFormat(StrEnum):
    """What one SQS message body is."""

    ENVELOPE = "envelope"
    RECORD = "record"


@dataclass(frozen=True)
class Buffer:
    """The queue and its dead-letter queue: what a message holds, and when one is given up."""

    format: BufferFormat
    max_receive_count: int
    retention_days: int
    visibility_timeout_seconds: int


@dataclass(frozen=True)
class Sink:
    """How much the sink takes at a time, how long it waits for more, and how many tasks may run."""

    batch_records: int
    linger_ms: int
    min_tasks: int
    max_tasks: int
    latency_target_seconds: int


@dataclass(frozen=True)
class Alarms:
    """When somebody is told: by the age of the oldest message always, by the others where they are asked for.

    `depth` is a number of messages in the buffer; None: nobody is told of it.
    """

    oldest_age_seconds: int
    depth: int | None = None
    in_flight: bool = False
    tasks_below_minimum: bool = False
    publish_failures: bool = False


class Fate(StrEnum):
    """What becomes of a removed dataset's table."""

    KEEP = "keep"
    EXPORT = "export"
    DROP = "drop"


@dataclass(frozen=True)
class Tombstone:
    """`TOMBSTONE.json`: the dataset is being removed. `date` is an ISO 8601 day; `exported_to` says where the rows are."""

    who: str
    why: str
    date: str
    data: Fate
    exported_to: str | None = None

    @property
    def drops(self) -> bool:
        """Whether the table is dropped when the folder goes."""
        return self.data is Fate.DROP or self.is_exported

    @property
    def is_exported(self) -> bool:
        """Whether the rows were to be exported, and are."""
        return self.data is Fate.EXPORT and self.exported_to is not None
