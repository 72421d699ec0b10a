"""Two stacks on one foundation and one database: each deploys its own datasets, and none reaches into the other's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from compiler.emit.graph import Graph, Recorded
from dev.resources.context import Context
from dev.resources.registry import handler_of
from tests.golden.variants import STACK, configuration
from tests.pulumi.conftest import Project

BASE = "acme/sluice/base"
IN_POSTGRES = (
    "pulumi-python:dynamic/sluice:ControlSchema",
    "pulumi-python:dynamic/sluice:DatasetSchemas",
    "pulumi-python:dynamic/sluice:DatasetTable",
    "postgresql:",
)
COMMIT = (
    "INSERT INTO sluice.output_commits (commit_id, dataset, version, sequence, plan_sha256, messages, records, inserted,"
    " updated, unchanged, rejected, message_digest, first_sent_at, last_sent_at, senders)"
    " VALUES (gen_random_uuid(), '{}', 1, 1, 'sha256:x', 1, 1, 1, 0, 0, 0, 'x', now(), now(), '{{}}')"
)


def configured(**changes: Any) -> dict[str, str]:
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}
    admin = {"host": "h", "name": "d", "admin": "env:SLUICE_DATABASE_ADMIN"}
    return {**configuration("secret"), "database": json.dumps(admin), **values}


@pytest.fixture
def base(project: Project) -> Graph:
    return project.record(configured(prefix="base"), STACK)


@pytest.fixture
def more(project: Project, base: Graph) -> Graph:
    """A stack with another dataset, which stands on the first one's foundation."""
    principals = {name: {"aws": f"arn:aws:iam::123456789012:role/{name}"} for name in ("fleet", "monitor")}
    principals |= {name: {"postgres": name} for name in ("analytics", "dashboards", "audit")}
    changes = {
        "prefix": "more",
        "foundation": BASE,
        "datasets": ["monitoring_events"],
        "principals": principals,
    }
    return project.record(configured(**changes), STACK, references={BASE: base.exports})


@pytest.fixture
def context(fresh_database, monkeypatch) -> Context:
    monkeypatch.setenv("SLUICE_DATABASE_ADMIN", make_conninfo(**fresh_database, sslmode="disable"))
    configuration = {f"sluice:{key}": value for key, value in configured().items()}
    return Context(emulator=None, postgres=fresh_database, configuration=configuration)  # type: ignore[arg-type]


def deploy(context: Context, graph: Graph) -> None:
    """Carry out what the graph has in Postgres, in the order of its dependencies; bound roles are there."""
    waiting = [one for one in graph.resources if one.type.startswith(IN_POSTGRES)]
    known = {one.key for one in waiting}
    done: set[str] = set()
    while waiting:
        ready = [one for one in waiting if not (set(one.depends_on) & known - done)]
        for one in ready:
            _make(context, one)
            done.add(one.key)
        waiting = [one for one in waiting if one not in ready]


def _make(context: Context, one: Recorded) -> None:
    handler = handler_of(one.type)
    inputs = {**one.inputs, **({"database": context.postgres["dbname"]} if "database" in one.inputs else {})}
    handler.create(context, one.name, handler.check(context, None, inputs))


def bound_roles(context: Context, graphs: Iterable[Graph]) -> None:
    names = {
        one.inputs["role"]
        for graph in graphs
        for one in graph.of_type("postgresql:index/grantRole:GrantRole")
    }
    with context.transaction() as connection:
        for name in sorted(names):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))


def test_the_second_stack_makes_no_foundation_and_uses_the_firsts(base, more):
    assert more.of_type("aws:s3/bucket:Bucket") == []
    assert more.of_type("pulumi-python:dynamic/sluice:ControlSchema") == []
    bucket = base.exports["foundation"]["plan_bucket"]
    assert (
        more.one("aws:s3/bucketObjectv2:BucketObjectv2", "monitoring_events-plan").inputs["bucket"] == bucket
    )
    policy = more.one("aws:iam/rolePolicy:RolePolicy", "monitoring_events-sink").inputs["policy"]
    assert f"arn:aws:s3:::{bucket}/plans/monitoring_events/*" in policy
    kinds = (
        "aws:iam/role:Role",
        "aws:iam/policy:Policy",
        "aws:sqs/queue:Queue",
        "postgresql:index/role:Role",
    )
    named = [{str(one.inputs["name"]) for one in graph.of_type(*kinds)} for graph in (base, more)]
    assert named[0].isdisjoint(named[1]), "names begin with the stack's prefix"


def test_both_live_in_one_database_and_keep_to_themselves(context, base, more):
    bound_roles(context, [base, more])
    deploy(context, base)
    deploy(context, more)
    deploy(context, base)  # again: nothing of the other stack is undone
    with psycopg.connect(**context.postgres, autocommit=True) as admin:
        rows = admin.execute("SELECT dataset, writer_role FROM sluice.datasets ORDER BY 1").fetchall()
        assert rows == [
            ("alert_events", "base_alert_events_w"),
            ("monitoring_events", "more_monitoring_events_w"),
        ]
        for sink, own, other in (
            ("base_alert_events_sink", "alert_events", "monitoring_events"),
            ("more_monitoring_events_sink", "monitoring_events", "alert_events"),
        ):
            admin.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(sink)))
            admin.execute(COMMIT.format(own))
            assert admin.execute("SELECT dataset FROM sluice.output_commits").fetchall() == [(own,)]
            for statement in (COMMIT.format(other), f"SELECT * FROM datasets.{other}_v1"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    admin.execute(statement)
            admin.execute("RESET SESSION AUTHORIZATION")


def test_without_its_foundation_the_second_stack_is_told_what_to_deploy_first(context, more):
    [schemas] = more.of_type("pulumi-python:dynamic/sluice:DatasetSchemas")
    with pytest.raises(
        Exception, match=r"the foundation lacks .*Deploy the stack that sluice:foundation names"
    ):
        _make(context, schemas)
