"""Refused records -> dead letters, sent before their message is deleted; what may yet be admitted is put off first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from sink_runtime import progress
from sink_runtime.faults import Fault
from sink_runtime.pipeline.deadletters import DeadLetters
from sink_runtime.pipeline.putoff import backoff_seconds, hold_seconds
from sink_runtime.pipeline.settlement import Outcome
from sink_runtime.pipeline.shared import Shared
from sink_runtime.records.delivery import Refused
from sink_runtime.records.reasons import Reason
from sink_runtime.sqs.queue import BATCH_ENTRIES, MAX_MESSAGE_BYTES, EntryFailure, Outgoing, Queue, Received
from sink_runtime.sqs.wire import QueueFault

HOLDER = "dead_letters"  # its hold on the gate
FOREIGN_KEY = "23503"  # the row that a record refers to may come a little later

# Codes that lay a whole call at the door of what one of its entries holds; AWS gives them by entry, other servers may not.
_OF_A_LETTER = frozenset({"InvalidMessageContents", "InvalidParameterValue", "BatchRequestTooLong"})

Letter = tuple[int, Outgoing]  # the number of the outcome that it belongs to, and the letter


class Rejects:
    """Sees to the messages of which some records are refused; the one of its sink."""

    def __init__(self, buffer: Queue, dead_letter_queue: Queue, letters: DeadLetters, shared: Shared) -> None:
        self._buffer = buffer
        self._dead_letter_queue = dead_letter_queue
        self._letters = letters
        self._shared = shared

    def turn(self) -> None:
        """Put off or bury the next deliveries. Raises StoppingError at the end.

        Waits while the dead-letter queue is away: the messages stay in custody, and the gate is closed.
        """
        held: dict[int, list[Received]] = defaultdict(list)
        final: list[Outcome] = []
        for delivery, refused in self._shared.settlement.next_rejects():
            seconds = self._hold(delivery.message, refused)
            if seconds is None:
                final.append((delivery, refused))
            else:
                held[seconds].append(delivery.message)
        for seconds, messages in held.items():
            self._put_off(messages, seconds, "held")
        self._bury(final)

    def _hold(self, message: Received, refused: Sequence[Refused]) -> int | None:
        if not any(map(_may_pass, refused)):
            return None
        return hold_seconds(message.receives, self._shared.plan.max_receive_count)

    def _bury(self, outcomes: Sequence[Outcome]) -> None:
        """Send every letter, then have the messages deleted.

        A letter that SQS will never take leaves its message where it is, for SQS' own redrive.
        """
        unsendable: dict[int, str] = {}
        for letters in _calls(self._written(outcomes, unsendable)):
            self._shared.patience.until(partial(self._send, letters, unsendable), self._close_gate)
            self._shared.gate.open(HOLDER)
            progress.mark()
        self._shared.settlement.delete(
            [delivery.message for number, (delivery, _) in enumerate(outcomes) if number not in unsendable]
        )
        for number, why in unsendable.items():
            message = outcomes[number][0].message
            self._shared.metrics.letter_refused()
            self._shared.log.error("dead letter refused", message_id=message.message_id, why=why)
            self._put_off([message], backoff_seconds(message.receives), "left to redrive")

    def _written(self, outcomes: Sequence[Outcome], unsendable: dict[int, str]) -> Iterator[Letter]:
        for number, (delivery, refused) in enumerate(outcomes):
            for letter in self._letters.of(delivery, list(refused)):
                if letter.size <= MAX_MESSAGE_BYTES:
                    yield number, letter
                else:
                    unsendable[number] = "too large"

    def _send(self, letters: list[Letter], unsendable: dict[int, str]) -> None:
        """Send letters; what is done with is taken out of the list. Raises QueueFault while some may yet be sent."""
        failures = self._sent([letter for _, letter in letters])
        self._shared.metrics.letters_sent(len(letters) - len(failures))
        unsendable |= {letters[one.index][0]: one.code for one in failures if one.permanent}
        letters[:] = [letters[one.index] for one in failures if not one.permanent]
        if letters:
            raise QueueFault("dead_letters", "send failed for some letters", 500)

    def _sent(self, letters: list[Outgoing]) -> Sequence[EntryFailure]:
        """Send letters in one call, or one by one where the call is refused as a whole for what one of them holds."""
        try:
            return self._dead_letter_queue.send(letters)
        except QueueFault as fault:
            if fault.code not in _OF_A_LETTER:
                raise
            if len(letters) == 1:
                return [EntryFailure(0, fault.code, permanent=True)]
        found: list[EntryFailure] = []
        for index, letter in enumerate(letters):
            found += [replace(one, index=index) for one in self._sent([letter])]
        return found

    def _close_gate(self, fault: Fault) -> None:
        self._shared.gate.close(HOLDER, fault)

    def _put_off(self, messages: Sequence[Received], seconds: int, why: str) -> None:
        """Hide messages for longer, out of the heartbeat's reach. Where that fails, their visibility timeout does it."""
        self._shared.custody.release(messages)
        self._shared.metrics.put_off(len(messages), why)
        self._shared.log.warning("messages put off", messages=len(messages), seconds=seconds, why=why)
        try:
            self._buffer.hide(messages, seconds)
        except Fault as fault:
            self._shared.log.warning("messages not put off", messages=len(messages), why=fault.text)


def _may_pass(refused: Refused) -> bool:
    """Whether time may mend it: a newer plan, or a row that it refers to."""
    return refused.rejection.reason is Reason.SCHEMA_UNKNOWN or refused.rejection.sqlstate == FOREIGN_KEY


def _calls(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """What fits into one call each, so that one that fails says nothing of the others."""
    call: list[Letter] = []
    size = 0
    for number, letter in letters:
        if call and (len(call) == BATCH_ENTRIES or size + letter.size > MAX_MESSAGE_BYTES):
            yield call
            call, size = [], 0
        call.append((number, letter))
        size += letter.size
    if call:
        yield call
