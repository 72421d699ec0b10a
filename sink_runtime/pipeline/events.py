"""Output commits -> update events: the commit rows are an outbox, published in the order of their sequence.

CloudEvents 1.0 in JSON to the dataset's topic, at least once: a row is marked after its event was taken. One sink of a
dataset publishes at a time, under a lease in `sluice.dataset_heads`. No transaction is open while the topic is called,
and a topic that is away never keeps records from being written.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import psycopg
from botocore.exceptions import ClientError

from sink_runtime import progress
from sink_runtime.aws import FAILURES, Aws, code_of
from sink_runtime.faults import Fault
from sink_runtime.pipeline.shared import Shared
from sink_runtime.plan import SinkPlan
from sink_runtime.postgres import instances
from sink_runtime.postgres.database import Connection, Database
from sink_runtime.postgres.errors import DatabaseFault

TYPE = "dev.sluice.dataset.committed.v1"
LEASE_SECONDS = 30
IDLE_SECONDS = 5.0  # between two looks at the outbox, where no commit of this sink's own calls earlier
COUNTED = 1000  # events of the outbox, for the metric; there may be more
ROWS = 100  # read, and published under one lease, at a time: well within it

_LEASE = """
UPDATE sluice.dataset_heads SET publisher = $3, lease_until = now() + make_interval(secs => $4)
WHERE dataset = $1 AND version = $2 AND (publisher IS NULL OR publisher = $3 OR lease_until < now())
RETURNING true
"""
_GIVE_BACK = """
UPDATE sluice.dataset_heads SET publisher = NULL, lease_until = NULL
WHERE dataset = $1 AND version = $2 AND publisher = $3
"""
# By the index of what is unpublished; counted no further than COUNTED, since an outbox may grow for days.
_OUTBOX = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(committed_at)), 0)::double precision FROM (
  SELECT committed_at FROM sluice.output_commits WHERE dataset = $1 AND version = $2 AND event_published_at IS NULL
  ORDER BY sequence LIMIT $3
) AS outbox
"""
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
    """Publishes one dataset's outbox, on a connection of its own."""

    def __init__(
        self,
        aws: Aws,
        topic_arn: str,
        database: Database,
        environment: str,
        shared: Shared,
    ) -> None:
        self._aws = aws
        self._topic_arn = topic_arn
        self._database = database
        self._plan = shared.plan
        self._instance = instances.instance_name()
        self._source = f"/sluice/{environment}/{self._plan.dataset}"
        self._to_announce = shared.settlement.to_announce
        self._patience = shared.patience
        self._metrics = shared.metrics

    def turn(self) -> None:
        """Publish what there is, then wait for more. Raises StoppingError where the sink is to end and cannot."""
        self._to_announce.clear()
        self._patience.until(self.publish_pending)
        self._to_announce.wait(IDLE_SECONDS)

    def publish_pending(self) -> None:
        """Send what is unpublished, oldest first, where no other sink holds the lease. Raises Fault."""
        try:
            connection = self._connection()
            while (
                self._has_any(connection) and self._has_lease(connection) and not self._patience.stop.is_set()
            ):
                self._publish_some(connection)
        except psycopg.Error as error:
            self._database.close()
            raise DatabaseFault.of(error, self._plan) from None

    def leave(self) -> None:
        """Give the lease back, if Postgres can be told, so that another sink need not wait for its end."""
        connection = self._database.current
        try:
            if connection is not None and not connection.broken:
                connection.execute(_GIVE_BACK, [self._plan.dataset, self._plan.version, self._instance])
        except psycopg.Error:  # then the lease ends by itself
            pass
        finally:
            self._database.close()

    def _connection(self) -> Connection:
        current = self._database.current
        return self._database.connect() if current is None or current.broken else current

    def _has_any(self, connection: Connection) -> bool:
        row = connection.execute(_OUTBOX, [self._plan.dataset, self._plan.version, COUNTED]).fetchone()
        events, seconds = cast("tuple[int, float]", row)
        self._metrics.unpublished(events, max(0.0, seconds))
        return events > 0

    def _has_lease(self, connection: Connection) -> bool:
        asked = [self._plan.dataset, self._plan.version, self._instance, LEASE_SECONDS]
        return connection.execute(_LEASE, asked).fetchone() is not None

    def _publish_some(self, connection: Connection) -> None:
        rows = connection.execute(_UNPUBLISHED, [self._plan.dataset, self._plan.version, ROWS]).fetchall()
        until = time.monotonic() + LEASE_SECONDS / 2
        for row in rows:
            body = orjson.dumps(event(row, self._plan, self._source)).decode()
            self._publish(body)
            connection.execute(_PUBLISHED, [row[0]])
            progress.mark()
            if time.monotonic() > until:  # the lease is asked for again
                return

    def _publish(self, body: str) -> None:
        try:
            self._aws.client("sns").publish(TopicArn=self._topic_arn, Message=body)
        except FAILURES as error:
            raise Fault("topic", code_of(error), alarm=isinstance(error, ClientError)) from error
        self._metrics.published()


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
