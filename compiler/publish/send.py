"""Message bodies -> SQS: batches of at most 10 entries and 1 MiB, each refused entry sent again.

SQS answers a batch with HTTP 200 and says per entry what failed (API reference, SendMessageBatch), so the answer is read
entry by entry: a sender fault will not mend itself and ends the run, anything else is retried with jittered backoff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from compiler.publish.envelopes import Body

MAX_ENTRIES = 10
MAX_BATCH_BYTES = 1_048_576
ATTEMPTS = 8


class SendError(RuntimeError):
    """Messages that SQS refused for good; the text has SQS' code and message."""


class _NotTakenError(Exception):
    """Some entries were not taken; the rest of the batch is."""


class QueueClient(Protocol):
    """The one call of boto3's SQS client that publishing needs."""

    def send_message_batch(self, *, QueueUrl: str, Entries: Any) -> Any:  # noqa: N803  # boto3's own names
        """SQS SendMessageBatch."""
        ...


def batches(bodies: Iterable[Body]) -> Iterator[list[Body]]:
    """Bodies in the batches that one SendMessageBatch call takes."""
    batch: list[Body] = []
    size = 0
    for body in bodies:
        if batch and (len(batch) == MAX_ENTRIES or size + body.size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += body.size
    if batch:
        yield batch


def send(client: QueueClient, queue_url: str, batch: list[Body]) -> None:
    """Send one batch until SQS has taken each entry. Raises SendError; boto3's own errors pass through."""
    left = {str(number): body for number, body in enumerate(batch)}
    retrying = Retrying(
        retry=retry_if_exception_type(_NotTakenError),
        wait=wait_random_exponential(multiplier=0.1, max=10),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    try:
        for attempt in retrying:
            with attempt:
                _attempt(client, queue_url, left)
    except _NotTakenError as error:
        raise SendError(f"{len(left)} messages were not taken after {ATTEMPTS} attempts: {error}") from error


def _attempt(client: QueueClient, queue_url: str, left: dict[str, Body]) -> None:
    """One call; entries that were taken leave `left`."""
    entries = [{"Id": key, "MessageBody": body.text} for key, body in left.items()]
    answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
    for taken in answer.get("Successful", []):
        left.pop(taken["Id"], None)
    failed = answer.get("Failed", [])
    for entry in failed:
        if entry.get("SenderFault"):
            raise SendError(f"SQS refused a message: {entry.get('Code')}: {entry.get('Message', '')}")
    if left:
        raise _NotTakenError(
            ", ".join(sorted({str(entry.get("Code")) for entry in failed})) or "no answer for an entry"
        )
