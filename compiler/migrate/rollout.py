"""Whether the sinks that run have the plan that they should: read from `sluice.sink_instances`, where each says so itself.

A deployment tool cannot tell. A rollout that ECS takes back ends with a stable service, which is a success to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import Connection

from compiler.migrate.requirements import LIVE_SECONDS

_LIVE = """
SELECT instance, plan_sha256, version,
  extract(epoch FROM clock_timestamp() - started_at)::bigint, extract(epoch FROM clock_timestamp() - last_seen)::bigint
FROM sluice.sink_instances
WHERE dataset = %s AND last_seen > clock_timestamp() - make_interval(secs => %s)
ORDER BY started_at, instance
"""


class State(StrEnum):
    """What is known of a dataset's rollout."""

    NEW = "new"
    ROLLING = "rolling"
    OLD = "old"
    NONE = "none"
    ASLEEP = "asleep"


@dataclass(frozen=True)
class LiveSink:
    """A sink that was seen within LIVE_SECONDS; ages in seconds."""

    instance: str
    plan_sha256: str
    version: int
    running_seconds: int
    seen_seconds: int


@dataclass(frozen=True)
class Rollout:
    """One dataset: the plan that its sinks should have, and the sinks that run. `may_sleep`: none need run."""

    dataset: str
    plan_sha256: str
    sinks: tuple[LiveSink, ...]
    may_sleep: bool = False

    @property
    def state(self) -> State:
        """The rollout is done where all that run have the plan, and one does."""
        has = {sink.plan_sha256 == self.plan_sha256 for sink in self.sinks}
        if not has:
            return State.ASLEEP if self.may_sleep else State.NONE
        if has == {True}:
            return State.NEW
        return State.ROLLING if True in has else State.OLD

    @property
    def is_done(self) -> bool:
        """Whether no running sink has another plan. Of a dataset that sleeps nothing can be seen, and nothing is wrong."""
        return self.state in (State.NEW, State.ASLEEP)


def rollout_of(
    connection: Connection[Any], dataset: str, plan_sha256: str, *, may_sleep: bool = False
) -> Rollout:
    """The dataset's rollout, in a session that has become the owner."""
    rows = connection.execute(_LIVE, (dataset, LIVE_SECONDS))
    return Rollout(dataset, plan_sha256, tuple(LiveSink(*row) for row in rows), may_sleep)
