"""Deletes messages whose records are safe, ten in a call and several calls at a time, until SQS has taken every one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sink_runtime.exits import DENIED, DENIED_TEXT
from sink_runtime.faults import FatalError, Fault
from sink_runtime.patience import StoppingError
from sink_runtime.pipeline.shared import Shared
from sink_runtime.sqs.queue import Deletes, EntryFailure, Received
from sink_runtime.sqs.wire import QueueFault

NAME = "deleter"  # its hold on the gate
CALLS = 20  # at a time: each turn costs the same however many answers it finds, and SQS takes milliseconds for each
TURN_SECONDS = 1.0


class Deleter:
    """The one deleter of a sink."""

    def __init__(self, deletes: Deletes, shared: Shared) -> None:
        self._deletes = deletes
        self._shared = shared
        self._is_last = False

    def turn(self) -> None:
        """Delete what there is. Raises FatalError where deleting is denied, StoppingError when all is done at the end."""
        self._start()
        for messages, answer in self._deletes.finished(TURN_SECONDS):
            self._take(messages, answer)
        if self._is_last and not self._deletes.busy:
            raise StoppingError

    def _start(self) -> None:
        """Begin calls; where none is under way, wait for something to delete."""
        try:
            while self._deletes.free and not self._is_last:
                messages = self._shared.settlement.next_delete(wait=not self._deletes.busy)
                if messages is None:
                    return
                self._shared.custody.release(messages)
                # A delivery that was told of twice is deleted once: a call that repeats a receipt is refused by some.
                self._begin(list({one.receipt: one for one in messages}.values()))
        except StoppingError:
            self._is_last = True

    def _begin(self, messages: list[Received]) -> None:
        try:
            self._deletes.start(messages)
        except Fault as fault:  # no credentials
            self._again(messages, fault)

    def _take(self, messages: list[Received], answer: Sequence[EntryFailure] | Fault) -> None:
        left = self._left(messages, answer)
        if left:
            self._again(left, answer if isinstance(answer, Fault) else _some_failed())

    def _left(self, messages: list[Received], answer: Sequence[EntryFailure] | Fault) -> list[Received]:
        """The messages that may yet be deleted. Raises FatalError where deleting is denied."""
        if isinstance(answer, QueueFault) and answer.is_denial:
            raise FatalError(DENIED_TEXT, DENIED)
        if isinstance(answer, Fault):
            return messages
        self._shared.metrics.deleted(len(messages), len(answer))
        lost = [failure for failure in answer if failure.permanent]
        if lost:  # its handle is stale: the message comes again, and changes nothing
            self._shared.log.warning("message not deleted", messages=len(lost), why=lost[0].code)
        return [messages[failure.index] for failure in answer if not failure.permanent]

    def _again(self, messages: list[Received], fault: Fault) -> None:
        """Wait for the calls under way, then try these alone until all are deleted.

        Nothing is received meanwhile: what is written and not deleted would come again, and again, until SQS takes it for
        a dead letter.
        """
        self._shared.gate.close(NAME, fault)
        self._shared.custody.keep(messages)
        behind = [messages]
        while self._deletes.busy:
            for others, answer in self._deletes.finished(TURN_SECONDS):
                if left := self._left(others, answer):
                    self._shared.custody.keep(left)
                    behind.append(left)
        for some in behind:
            self._shared.patience.after(fault, partial(self._delete_alone, some))
        self._shared.gate.open(NAME)

    def _delete_alone(self, left: list[Received]) -> None:
        """Delete `left`, and take out of it what is. Raises Fault while some may yet be deleted."""
        self._shared.custody.release(left)
        try:
            self._deletes.start(list(left))
            while self._deletes.busy:
                for messages, answer in self._deletes.finished(TURN_SECONDS):
                    left[:] = self._left(messages, answer)
                    if isinstance(answer, Fault):
                        raise answer
            if left:
                raise _some_failed()
        except Fault:
            self._shared.custody.keep(left)
            raise


def _some_failed() -> QueueFault:
    return QueueFault("buffer", "delete failed for some messages", 500)
