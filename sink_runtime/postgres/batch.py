"""Deliveries -> batch: the records that one statement writes, and what the output commit says of their messages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from sink_runtime.records.delivery import Delivery
from sink_runtime.sqs.queue import Received


class Part(NamedTuple):
    """A run of one delivery's admitted records: `size` of them from number `start`, and their JSON text."""

    delivery: Delivery
    start: int
    size: int
    payload: bytes

    def positions(self) -> Sequence[int]:
        """The second half of each record's identity."""
        return self.delivery.positions[self.start : self.start + self.size]

    def halves(self) -> tuple[Part, Part]:
        """The first records and the others. Reads the text again: only a batch that failed is ever divided."""
        texts = self.delivery.texts()[self.start : self.start + self.size]
        middle = self.size // 2
        return (
            Part(self.delivery, self.start, middle, b",".join(texts[:middle])),
            Part(self.delivery, self.start + middle, self.size - middle, b",".join(texts[middle:])),
        )


_SENT = attrgetter("sent_text")  # of one form, so that texts are in the order of their instants


class Batch(NamedTuple):
    """What is written together. `rejected` counts the records of these messages that were not admitted."""

    messages: tuple[Received, ...]
    parts: tuple[Part, ...]
    rejected: int

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> Batch:
        """All admitted records of the deliveries, oldest sent first: of those with one key some statements write the first."""
        ordered = sorted(deliveries, key=_SENT)
        parts = tuple([Part(one, 0, len(one.indexes), one.payload) for one in ordered if one.indexes])
        messages = tuple([one.message for one in ordered])
        return cls(messages, parts, sum([len(one.refused) for one in deliveries]))

    @property
    def records(self) -> int:
        """How many records it writes."""
        return sum([part.size for part in self.parts])

    @property
    def message_digest(self) -> str:
        """`sha256:<64 hex>` over the sorted MessageIds, joined by LF."""
        ids = "\n".join(sorted([message.message_id for message in self.messages]))
        return "sha256:" + hashlib.sha256(ids.encode()).hexdigest()

    def sender_counts(self) -> dict[str, int]:
        """Records by sender."""
        senders = sorted({part.delivery.sender for part in self.parts})
        if len(senders) == 1:  # as nearly always
            return {senders[0]: self.records}
        counted = dict.fromkeys(senders, 0)
        for part in self.parts:
            counted[part.delivery.sender] += part.size
        return counted

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of about half the records each; a message with records in both counts in both, its rejections
        once, with the first. Messages without records stay with the first.
        """
        head, tail = _divided(self.parts, self.records // 2)
        early = {part.delivery.message.receipt for part in head}
        late = {part.delivery.message.receipt for part in tail}
        first = tuple(m for m in self.messages if m.receipt in early or m.receipt not in late)
        second = tuple(m for m in self.messages if m.receipt in late)
        return Batch(first, head, self.rejected), Batch(second, tail, 0)


def _divided(parts: tuple[Part, ...], wanted: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts before and after about `wanted` records; between two messages where there are two."""
    if len(parts) == 1:
        first, second = parts[0].halves()
        return (first,), (second,)
    before = 0
    for number, part in enumerate(parts):
        if number and before + part.size > wanted:
            return parts[:number], parts[number:]
        before += part.size
    return parts[:-1], parts[-1:]
