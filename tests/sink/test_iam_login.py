"""IAM authentication: a token of its own for every connection, to the server that the certificate names, and to no other.

RDS itself is not here: a stand-in checks tokens as AWS documents them, before a real Postgres.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.credentials import Credentials

from compiler.emit.pulumi.roles import connection_limit
from compiler.emit.sink import sink_plan
from sink_runtime import settings
from sink_runtime.aws import Aws
from sink_runtime.pipeline.batchwriter import WRITERS
from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.database import Database
from sink_runtime.postgres.errors import Action, DatabaseFault
from sink_runtime.postgres.login import login_of
from tests.sink.store import settings_of
from tests.support import rds as stand_in
from tests.support.datasets import alert_events
from tests.support.rds import Rds
from tests.support.tls import HOST, certificate

KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a session/token==")
USER = "test_iam_sink"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(KEY.token))


@pytest.fixture
def rds(fresh_database, tmp_path: Path, environment, monkeypatch) -> Iterator[Rds]:
    with psycopg.connect(**fresh_database, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {USER} LOGIN")
    with stand_in.running(fresh_database, tmp_path, KEY) as running:
        monkeypatch.setenv("PGSSLROOTCERT", str(running.ca))
        yield running


def database(rds: Rds, conninfo, plan, **more) -> Database:
    found = settings_of(
        {**conninfo, "host": HOST, "port": rds.port},
        database_sslmode="verify-full",
        database_auth="iam",
        database_user=USER,
        **more,
    )
    return Database(found, plan, login_of(found, Aws.of(found)))


@pytest.fixture
def plan():
    return sink_plan(alert_events(), (), 0)


def test_each_connection_has_a_token_of_its_own(rds, fresh_database, plan):
    held = database(rds, fresh_database, plan)
    for _ in range(2):
        assert held.connect().execute("SELECT current_user").fetchone() == (USER,)
    held.close()
    assert len(rds.tokens) == 2


def test_a_refused_token_is_told_without_itself_and_the_next_is_new(rds, fresh_database, plan):
    rds.refuse = 4
    held = database(rds, fresh_database, plan)
    for _ in range(4):
        with pytest.raises(DatabaseFault) as refused:
            held.connect()
        assert refused.value.action is Action.CREDENTIALS
        assert rds.tokens[-1] not in refused.value.text
        assert "X-Amz" not in refused.value.text
    assert held.connect().execute("SELECT 1").fetchone() == (1,)
    held.close()
    assert len(rds.tokens) == 5


def test_a_token_of_another_key_or_user_is_none(rds, fresh_database, plan, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(DatabaseFault):
        database(rds, fresh_database, plan).connect()
    [token] = rds.tokens
    assert not stand_in.is_good(token, USER, rds)


def test_a_server_that_the_certificate_does_not_name_gets_no_token(
    rds, fresh_database, plan, tmp_path, monkeypatch
):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("PGSSLROOTCERT", str(certificate(other)))
    with pytest.raises(DatabaseFault):
        database(rds, fresh_database, plan).connect()
    assert rds.tokens == []


def test_the_token_is_the_one_that_boto3_makes(environment, monkeypatch):
    moment = dt.datetime(2026, 11, 28, 3, tzinfo=dt.UTC).replace(tzinfo=None)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    client = boto3.client("rds", region_name="eu-central-1")
    host = "db.abc.eu-central-1.rds.amazonaws.com"
    ours = Aws("eu-central-1", None).database_token(host, 5432, USER)
    assert ours == client.generate_db_auth_token(DBHostname=host, Port=5432, DBUsername=USER)


GOOD = dict.fromkeys(settings.REQUIRED, "x") | {
    settings.DATABASE_PORT: "5432",
    settings.PLAN: "p",
    settings.DATABASE_SSLMODE: "verify-full",
    settings.DATABASE_AUTH: "iam",
    settings.DATABASE_USER: USER,
}


def test_the_settings_ask_for_what_each_kind_of_login_needs():
    found = settings.read(GOOD)
    assert (found.database_auth, found.database_user, found.database_secret_arn) == ("iam", USER, "")
    for change, text in (
        (
            {settings.DATABASE_USER: ""},
            "SLUICE_DATABASE_USER is not set, which SLUICE_DATABASE_AUTH iam needs",
        ),
        ({settings.DATABASE_AUTH: "secret"}, "SLUICE_DATABASE_SECRET_ARN is not set"),
        ({settings.DATABASE_SSLMODE: "require"}, "is not verify-full"),
        ({settings.DATABASE_AUTH: "ldap"}, "SLUICE_DATABASE_AUTH is not secret or iam"),
    ):
        with pytest.raises(settings.SettingsError, match=text):
            settings.read({**GOOD, **change})


def test_the_login_may_have_the_connections_of_twice_its_sinks():
    assert SinkPlan.CONNECTIONS == WRITERS + 2
    assert connection_limit(alert_events()) == 2 * alert_events().sink.max_tasks * SinkPlan.CONNECTIONS
