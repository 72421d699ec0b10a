"""Batches stay within SQS' limits, and an entry that was refused once is sent again, alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.publish.envelopes import Body
from compiler.publish.send import MAX_BATCH_BYTES, MAX_ENTRIES, SendError, batches, send


class Queue:
    """An SQS that refuses each body as often as it is told to, with the given code."""

    def __init__(self, refusals: dict[str, int], *, sender_fault: bool = False) -> None:
        self.refusals, self.sender_fault = refusals, sender_fault
        self.taken: list[str] = []
        self.calls = 0

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803  # boto3's own names
        self.calls += 1
        answer = {"Successful": [], "Failed": []}
        for entry in Entries:
            body = entry["MessageBody"]
            if self.refusals.get(body, 0):
                self.refusals[body] -= 1
                failed = {"Id": entry["Id"], "Code": "InternalError", "SenderFault": self.sender_fault}
                answer["Failed"].append(failed)
            else:
                self.taken.append(body)
                answer["Successful"].append({"Id": entry["Id"]})
        return answer


@given(st.lists(st.integers(min_value=1, max_value=MAX_BATCH_BYTES), max_size=40))
def test_each_batch_is_one_that_sqs_takes(sizes):
    bodies = [Body("x" * size, 1) for size in sizes]
    made = list(batches(bodies))
    assert [body for batch in made for body in batch] == bodies
    assert all(len(batch) <= MAX_ENTRIES for batch in made)
    assert all(sum(body.size for body in batch) <= MAX_BATCH_BYTES for batch in made)


def test_a_refused_entry_is_sent_again_and_the_others_only_once():
    queue = Queue({"b": 2})
    send(queue, "url", [Body("a", 1), Body("b", 1), Body("c", 1)])
    assert queue.taken == ["a", "c", "b"]
    assert queue.calls == 3


def test_a_sender_fault_ends_the_run_with_its_code():
    with pytest.raises(SendError, match="InternalError"):
        send(Queue({"a": 1}, sender_fault=True), "url", [Body("a", 1)])


def test_an_entry_that_is_never_taken_is_an_error_and_not_a_silence(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    with pytest.raises(SendError, match="1 messages were not taken after 8 attempts"):
        send(Queue({"a": 100}), "url", [Body("a", 1)])
