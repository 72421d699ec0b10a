"""Records -> message bodies up to the size limit.

An envelope's id is derived from the file's digest, the chunk's number and its content, so that publishing a file twice
gives the same identities and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid5

from compiler.dataset import Dataset
from compiler.operation import BufferFormat
from compiler.publish.records import Record

# The buffer's MaximumMessageSize: a wrapped record still fits into the dead-letter queue's 1 MiB.
MAX_BODY_BYTES = 1_040_384


class TooLargeError(ValueError):
    """One record alone is over the message size limit."""


@dataclass(frozen=True)
class Body:
    """One message body and how many records it holds."""

    text: str
    records: int

    @property
    def size(self) -> int:
        """Bytes as SQS counts them."""
        return len(self.text.encode())


def pack(
    dataset: Dataset, records: Iterable[Record], file_sha256: str, limit: int = MAX_BODY_BYTES
) -> Iterator[Body]:
    """Message bodies of the dataset's buffer format, each within `limit` bytes. Raises TooLargeError."""
    if dataset.buffer.format is BufferFormat.RECORD:
        for record in records:
            yield _within(Body(record.text, 1), limit, record)
        return
    for number, chunk in enumerate(_chunks(dataset, records, limit)):
        texts = [record.text for record in chunk]
        yield _envelope(dataset, _identity(dataset, file_sha256, number, texts), texts)


def _identity(dataset: Dataset, file_sha256: str, number: int, texts: list[str]) -> UUID:
    """The chunk's content is part of its id: cut otherwise (another batch size, records skipped), it is another one.

    An id that came back with other records at its positions would make the sink take new records for known ones.
    """
    content = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return uuid5(dataset.uuid, f"{file_sha256}:{number}:{content}")


def _chunks(dataset: Dataset, records: Iterable[Record], limit: int) -> Iterator[list[Record]]:
    """As many records a chunk as fit, and no more than one batch of the sink."""
    room = limit - _envelope(dataset, dataset.uuid, []).size
    chunk: list[Record] = []
    used = 0
    for record in records:
        size = len(record.text.encode()) + 1
        _within(Body(record.text, 1), room, record)
        if chunk and (used + size > room or len(chunk) == dataset.sink.batch_records):
            yield chunk
            chunk, used = [], 0
        chunk.append(record)
        used += size
    if chunk:
        yield chunk


def _envelope(dataset: Dataset, identity: UUID, texts: list[str]) -> Body:
    head = json.dumps({"dataset": dataset.name, "id": str(identity), "schema": dataset.record_sha256})
    return Body(f'{head[:-1]}, "records": [{",".join(texts)}]}}', len(texts))


def _within(body: Body, limit: int, record: Record) -> Body:
    if body.size > limit:
        raise TooLargeError(
            f"line {record.line}: the record has {body.size:,} bytes; a message holds {limit:,}. "
            "Store the large part elsewhere and send its address."
        )
    return body
