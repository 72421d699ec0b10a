"""Two stacks under one engine, on one foundation and in one database: the second comes and goes, the first is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo

from dev.stack import ADMIN_VARIABLE, STACK
from tests.engine.project import Project
from tests.engine.world import PROJECT
from tests.support import tls

OTHER = "other"
SETTLED = ("preview", "--refresh", "--expect-no-changes", "--stack")


@pytest.fixture
def other(project: Project, fresh_database: dict[str, Any], tmp_path: Path) -> Iterator[Project]:
    """The project as its second stack is deployed: by TLS, since only the stack `embedded` may do without."""
    with tls.before(fresh_database["host"], int(fresh_database["port"]), tmp_path) as port:
        address = {"host": tls.HOST, "port": port}
        admin = make_conninfo("", **{**fresh_database, **address})
        configure(project, {**address, "sslmode": "require"})
        yield replace(project, environment={**project.environment, ADMIN_VARIABLE: admin})


def configure(project: Project, database: dict[str, Any]) -> None:
    """A stack with a dataset and a prefix of its own, configured as any but the embedded one is."""
    embedded = yaml.safe_load((project.folder / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))["config"]
    config = {key.removeprefix("sluice:"): value for key, value in embedded.items()}
    config |= {
        "environment": OTHER,
        "prefix": OTHER,
        "datasets": ["alert_events"],
        "foundation": f"organization/{PROJECT}/{STACK}",
        "database": config["database"] | database,
        "principals": {
            "monitor": {"aws": f"arn:aws:iam::{project.emulator.account_id}:role/monitor"},
            "analytics": {"postgres": "analytics"},
        },
        "image": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/sluice-sink@sha256:{'ab' * 32}",
    }
    document = {"config": {f"sluice:{key}": value for key, value in config.items()}}
    (project.folder / f"Pulumi.{OTHER}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    project.pulumi("stack", "init", OTHER, "--no-select")


def test_a_stack_stands_on_the_foundation_of_another_and_goes_alone(project: Project, other: Project) -> None:
    project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    other.pulumi("up", "--yes", "--skip-preview", "--stack", OTHER)
    types = {one["type"] for one in resources(project, OTHER)}
    assert "aws:sqs/queue:Queue" in types
    assert types.isdisjoint({"aws:s3/bucket:Bucket", "pulumi-python:dynamic/sluice:ControlSchema"})
    both = [("alert_events",), ("monitoring_events",)]
    assert rows(project, "SELECT dataset FROM sluice.generations ORDER BY 1") == both
    other.pulumi(*SETTLED, OTHER)

    other.pulumi("destroy", "--yes", "--skip-preview", "--stack", OTHER)
    assert rows(project, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'other%'") == []
    assert rows(project, "SELECT count(*) FROM datasets.alert_events") == [(0,)]
    project.pulumi(*SETTLED, STACK)


def resources(project: Project, stack: str) -> list[dict[str, Any]]:
    """A stack's resources in the state."""
    found = yaml.safe_load(project.pulumi("stack", "export", "--stack", stack))
    return list(found["deployment"]["resources"])


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    """A query's answer, as the administrator."""
    with psycopg.connect(**project.postgres) as connection:
        return connection.execute(query).fetchall()
