"""Deliveries -> batch: the records that one statement writes, and what the output commit says of their messages."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sink_runtime.delivery import Delivery
from sink_runtime.queue import Received

Row = tuple[Delivery, int]  # an admitted record: its delivery, and its index in the delivery's `records`


@dataclass(frozen=True)
class Batch:
    """What is written together. `rejected` counts the records of these messages that were not admitted."""

    deliveries: tuple[Delivery, ...]
    rows: tuple[Row, ...]
    rejected: int

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> Batch:
        """All admitted records of the deliveries."""
        rows = [(delivery, index) for delivery in deliveries for index in range(len(delivery.records))]
        return cls(tuple(deliveries), tuple(rows), sum(len(delivery.refused) for delivery in deliveries))

    @property
    def messages(self) -> tuple[Received, ...]:
        """The deliveries' messages."""
        return tuple(delivery.message for delivery in self.deliveries)

    @property
    def message_digest(self) -> str:
        """`sha256:<64 hex>` over the sorted MessageIds, joined by LF."""
        ids = "\n".join(sorted(message.message_id for message in self.messages))
        return "sha256:" + hashlib.sha256(ids.encode()).hexdigest()

    def sender_counts(self) -> dict[str, int]:
        """Records by SenderId."""
        return dict(sorted(Counter(delivery.message.sender for delivery, _ in self.rows).items()))

    def without(self, refused: Collection[int]) -> Batch:
        """The same messages without the rows of these indexes, which count as rejected."""
        rows = tuple(row for index, row in enumerate(self.rows) if index not in refused)
        return Batch(self.deliveries, rows, self.rejected + len(refused))

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the rows each; a message with rows in both counts in both, its rejections once."""
        middle = len(self.rows) // 2
        head, tail = self.rows[:middle], self.rows[middle:]
        late = {id(delivery) for delivery, _ in tail}
        early = {id(delivery) for delivery, _ in head}
        first = tuple(d for d in self.deliveries if id(d) in early or id(d) not in late)
        second = tuple(d for d in self.deliveries if id(d) in late)
        return Batch(first, head, self.rejected), Batch(second, tail, 0)
