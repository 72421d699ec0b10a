"""The sink plan: the compiled JSON that the generic sink applies, and the one thing that compiler and sink share.

It holds everything the sink needs and nothing of the deployment: no account, queue, address or credential. Standard
library only, so that either half can read it. The bytes are canonical (sorted keys, no white space), so a plan is named
by their sha256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

FORMAT = 1
READABLE_FORMATS = (FORMAT,)  # a sink reads this format and the one before it

# The write statement's first parameters ($1, $2, ...); the arrays that a plan names follow them.
PARAMETERS = (
    "records",  # text: a JSON array of the admitted records, oldest sent first, exact numbers, cast to jsonb
    "record_count",  # int4
    "first_sent_at",  # timestamptz: SentTimestamp of the first record's message
    "last_sent_at",  # timestamptz: of the last one's
    "commit_id",  # uuid: made by the sink, also the update event's id
    "plan_sha256",  # text
    "messages",  # int4: messages in the batch
    "rejected",  # int4: records of those messages that were not admitted
    "message_digest",  # text: sha256 over the sorted SQS message ids of the batch
    "sender_counts",  # jsonb: {sender: records}
)

# One element a record, in the order of the records. Postgres takes longer to read them than to sort the rows, so a
# statement has those only that it needs.
ARRAYS = (
    "message_ids",  # uuid[]: each record's identity, first half (the envelope's id, else MessageId)
    "positions",  # int4[]: each record's identity, second half (position in the envelope, from 0)
    "sent_ats",  # timestamptz[]: SentTimestamp of the record's message
    "senders",  # text[]: SenderId of the record's message
)

# Columns of the one row that the write statement returns. `sequence` and `committed_at` are null where nothing changed.
RESULT = ("sequence", "committed_at", "inserted", "updated", "unchanged")


class PlanError(ValueError):
    """The plan is not one that this sink can apply; the text says why."""


@dataclass(frozen=True)
class PlanColumn:
    """A column that the sink writes. `source` is `property:<name>`, `platform:$sender`, or `identity:<what>`.

    `type` is format_type() text. `confidential` values never reach a log line.
    """

    name: str
    type: str
    nullable: bool
    source: str
    confidential: bool


@dataclass(frozen=True)
class SinkPlan:
    """One dataset's compiled plan.

    `effective` decides admission (JSON Schema 2020-12, formats asserted); beside it stand the decoder's rules: no
    U+0000 in any string or key, no lone surrogate, nesting of at most `max_depth`, exact numbers, and no number of a
    `double precision` column that would be flushed to zero.
    `arrays` are those of ARRAYS that the statement takes, in the order of its parameters.
    `schemas` are the record schema hashes that this version knows. `constraints` are the names of the table's CHECKs and
    key, so that a refusal can be laid at the record's door or not. `key` is the conflict target. `contract` is the number
    of the last contract migration that the plan was compiled after, 0 for none: it needs nothing that those remove.
    """

    CONNECTIONS: ClassVar[int] = 4
    """The most connections to Postgres that one sink has: two writers, the publisher, and one for its checks."""

    format: int
    dataset: str
    dataset_uuid: str
    version: int
    relation_schema: str
    relation: str
    record_sha256: str
    schemas: tuple[str, ...]
    buffer_format: str  # "envelope" or "record"
    effective: dict[str, Any]
    columns: tuple[PlanColumn, ...]
    key: tuple[str, ...]
    key_constraint: str
    constraints: tuple[str, ...]
    on_conflict: str  # "ignore", "update" or "update_if_newer"
    statement: str
    arrays: tuple[str, ...]
    batch_records: int
    linger_ms: int
    max_receive_count: int
    visibility_timeout_seconds: int
    latency_target_seconds: int
    publish_events: bool
    contract: int = 0
    max_depth: int = 512
    max_message_bytes: int = (
        1_040_384  # MaximumMessageSize of the buffer: a wrapped record still fits into the DLQ
    )

    def to_bytes(self) -> bytes:
        """The canonical bytes: sorted keys, UTF-8, integers exact. The same plan gives the same bytes."""
        return json.dumps(
            asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()

    @property
    def sha256(self) -> str:
        """`sha256:<64 hex>` of the canonical bytes: the plan's name."""
        return digest(self.to_bytes())


def digest(data: bytes) -> str:
    """`sha256:<64 hex>` of a plan's bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def read(data: bytes) -> SinkPlan:
    """Parse a plan. Raises PlanError where it is no JSON, of a format that is not read, or not of that format's fields."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise PlanError(f"the plan is not JSON: {error}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found not in READABLE_FORMATS:
        known = " and ".join(map(str, READABLE_FORMATS))
        raise PlanError(
            f"the plan has format {found!r}; this sink reads {known}. Deploy the sink image of its compiler."
        )
    try:
        document["columns"] = tuple(PlanColumn(**column) for column in document["columns"])
        for name in ("schemas", "key", "constraints", "arrays"):
            document[name] = tuple(document[name])
        return SinkPlan(**document)
    except (KeyError, TypeError) as error:
        raise PlanError(f"the plan's fields are not those of format {FORMAT}: {error}") from error
