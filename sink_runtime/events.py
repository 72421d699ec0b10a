"""Output commits -> update events: the commit rows are an outbox, published in the order of their sequence.

CloudEvents 1.0 in JSON to the dataset's topic, at least once: a row is marked after its event was taken. No transaction
is open while the topic is called, and a topic that is away never keeps records from being written.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import structlog
from botocore.exceptions import BotoCoreError, ClientError

from sink_runtime.aws import Aws, code_of
from sink_runtime.database import Connection
from sink_runtime.plan import SinkPlan

TYPE = "dev.sluice.dataset.committed.v1"
PAUSE_SECONDS = 5.0  # after a refusal of the topic; the outbox keeps what was not sent
ROWS = 100  # read at a time

_UNPUBLISHED = """
SELECT commit_id::text, sequence, committed_at, plan_sha256, messages, records, inserted, updated, unchanged, rejected,
  first_sent_at, last_sent_at
FROM sluice.output_commits
WHERE dataset = $1 AND version = $2 AND event_published_at IS NULL
ORDER BY sequence LIMIT $3
"""
_PUBLISHED = "UPDATE sluice.output_commits SET event_published_at = now() WHERE commit_id = $1"
_COUNTS = ("messages", "records", "inserted", "updated", "unchanged", "rejected")


class Publisher:
    """Publishes one dataset's outbox."""

    def __init__(
        self,
        aws: Aws,
        topic_arn: str,
        plan: SinkPlan,
        environment: str,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._aws = aws
        self._topic_arn = topic_arn
        self._plan = plan
        self._source = f"/sluice/{environment}/{plan.dataset}"
        self._log = log
        self._not_before = 0.0

    def publish_pending(self, connection: Connection) -> None:
        """Send what is unpublished, oldest first; a failure is logged, and what is left is sent another time."""
        if time.monotonic() < self._not_before:
            return
        try:
            while self._publish_some(connection) == ROWS:
                pass
        except (BotoCoreError, ClientError) as error:
            self._pause(code_of(error))
        except psycopg.Error as error:  # the gate will find out and say more
            self._pause(f"postgres {error.sqlstate or 'is away'}")

    def _publish_some(self, connection: Connection) -> int:
        rows = connection.execute(_UNPUBLISHED, [self._plan.dataset, self._plan.version, ROWS]).fetchall()
        for row in rows:
            body = orjson.dumps(event(row, self._plan, self._source)).decode()
            self._aws.client("sns").publish(TopicArn=self._topic_arn, Message=body)
            connection.execute(_PUBLISHED, [row[0]])
        return len(rows)

    def _pause(self, why: str) -> None:
        self._not_before = time.monotonic() + PAUSE_SECONDS
        self._log.warning("event not published", why=why)


def event(row: tuple[Any, ...], plan: SinkPlan, source: str) -> dict[str, Any]:
    """The CloudEvent of one commit row, as the outbox query selects it."""
    commit_id, sequence, committed_at, plan_sha256, *counts, first_sent_at, last_sent_at = row
    return {
        "specversion": "1.0",
        "type": TYPE,
        "source": source,
        "id": commit_id,
        "subject": f"{plan.dataset}@v{plan.version}",
        "time": _instant(committed_at),
        "datacontenttype": "application/json",
        "data": {
            "dataset": plan.dataset,
            "version": plan.version,
            "sequence": sequence,
            "plan_sha256": plan_sha256,
            **dict(zip(_COUNTS, counts, strict=True)),
            "first_sent_at": _instant(first_sent_at),
            "last_sent_at": _instant(last_sent_at),
        },
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
