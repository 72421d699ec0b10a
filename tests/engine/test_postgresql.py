"""The published provider pulumi-postgresql in the stand-in's place: it makes of the program what the stand-in makes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psycopg

from tests.engine.project import Project

MEMBERSHIPS = """
    SELECT member::regrole::text, roleid::regrole::text FROM pg_catalog.pg_auth_members
    WHERE member::regrole::text LIKE ANY (ARRAY['embedded\\_%', 'analytics']) ORDER BY 1, 2
"""
RIGHTS = """
    SELECT grantee, table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
    FROM information_schema.role_table_grants
    WHERE table_schema = 'datasets' AND grantee LIKE 'embedded\\_%' GROUP BY 1, 2 ORDER BY 1, 2
"""


def test_the_published_provider_agrees_with_the_program(project: Project, postgresql_provider: Path) -> None:
    first = os.pathsep.join((str(postgresql_provider.parent), project.environment["PATH"]))
    published = replace(project, environment=project.environment | {"PATH": first})
    told = published.pulumi("up", "--yes", "--skip-preview")
    assert f"using pulumi-resource-postgresql from $PATH at {postgresql_provider}" in told
    with psycopg.connect(**project.postgres) as connection:
        assert connection.execute(MEMBERSHIPS).fetchall() == [
            ("analytics", "embedded_monitoring_events_r"),
            ("embedded_monitoring_events_sink", "embedded_monitoring_events_w"),
            ("embedded_monitoring_events_w", "sluice_sink"),
            ("embedded_operator", "sluice_operator"),
        ]
        assert connection.execute(RIGHTS).fetchall() == [
            ("embedded_monitoring_events_r", "monitoring_events", "SELECT"),
            ("embedded_monitoring_events_w", "monitoring_events_v1", "INSERT SELECT"),
        ]
    published.pulumi("preview", "--expect-no-changes")
    published.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    published.pulumi("destroy", "--yes", "--skip-preview")
