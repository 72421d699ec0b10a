"""Postgres away, full, read-only, hanging, or with other settings than expected: however long, nothing is dead-lettered."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from psycopg import sql

from tests.faults.rig import DATASET, Rig
from tests.faults.servers import MakeRig
from tests.sink import datasets
from tests.sink.messages import Message, monitored
from tests.sink.store import login
from tests.support.pgbouncer import running_pgbouncer
from tests.support.proxies.postgres import Place

VISIBILITY_SECONDS = 2
RECEIVES = 2
# A third of the timeout lies between two extensions: so many are longer than all receives' timeouts together.
EXTENSIONS = 3 * RECEIVES + 1

HEARTBEATS_SECONDS = 20.0  # by when so many were seen; only a test that fails waits so long

TRANSIENT = (
    "40P01", "40001", "57P01", "57P03", "53300", "55P03", "53200", "08006", "25006", "58030", "26000",
)  # fmt: skip


@contextmanager
def _refused(one: Rig) -> Iterator[None]:
    one.postgres.refuse()
    yield
    one.postgres.accept()


@contextmanager
def _read_only(one: Rig) -> Iterator[None]:
    """As after a failover, where the old primary has become a replica."""
    database = sql.Identifier(one.conninfo["dbname"])
    setting = sql.SQL("ALTER DATABASE {} {} default_transaction_read_only {}")
    one.store.admin.execute(setting.format(database, sql.SQL("SET"), sql.SQL("= on")))
    one.end_sessions()
    yield
    one.store.admin.execute(setting.format(database, sql.SQL("RESET"), sql.SQL("")))


@contextmanager
def _full(one: Rig) -> Iterator[None]:
    """The disk: here each row's trigger says so."""
    one.store.execute("UPDATE datasets.disk SET is_full = true")
    yield
    one.store.execute("UPDATE datasets.disk SET is_full = false")


@contextmanager
def _hanging(one: Rig) -> Iterator[None]:
    """Connections stay open and nothing is answered."""
    one.postgres.stall()
    yield
    one.postgres.flow()


@pytest.mark.parametrize("outage", [_refused, _read_only, _full], ids=["refused", "read only", "full"])
def test_06_an_outage_longer_than_all_receives_sends_nothing_to_the_dead_letter_queue(
    rig: MakeRig, outage: Callable
) -> None:
    _outlast(rig, outage)


def test_32_a_server_that_hangs_sends_nothing_to_the_dead_letter_queue(rig: MakeRig) -> None:
    _outlast(rig, _hanging)


@pytest.mark.skipif(
    not os.environ.get("SLUICE_SLOW_TESTS"), reason="takes a minute: SLUICE_SLOW_TESTS=1 runs it"
)
def test_32_a_connection_that_never_answers_again_is_given_up(rig: MakeRig) -> None:
    """As behind a load balancer after a failover, or of a frozen server: neither its timeout nor keepalives help."""
    one = rig(datasets.monitoring_events())
    one.start_ready()
    one.send("before")
    one.await_exactly(["before"])
    one.postgres.strand()
    one.send("after")
    one.until(lambda: one.stored() == ["after", "before"], seconds=90.0)


def _outlast(rig: MakeRig, outage: Callable) -> None:
    one = rig(
        datasets.monitoring_events(),
        visibility_timeout_seconds=VISIBILITY_SECONDS,
        max_receive_count=RECEIVES,
    )
    one.store.execute("CREATE TABLE datasets.disk AS SELECT false AS is_full")
    one.add_trigger(
        "IF (SELECT is_full FROM datasets.disk) THEN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END IF"
    )
    one.start_ready()
    with one.locked_table():  # so that it has something in hand when the outage comes
        one.send("in hand")
        one.until(one.is_blocked)
        outage_of_one = outage(one)
        outage_of_one.__enter__()
    one.send("meanwhile")
    one.until(lambda: max(one.aws.extended().values(), default=0) >= EXTENSIONS, HEARTBEATS_SECONDS)
    outage_of_one.__exit__(None, None, None)
    one.await_exactly(["in hand", "meanwhile"])


def test_07_transient_errors_are_tried_again_and_blame_no_record(rig: MakeRig) -> None:
    """Each record's first attempt meets another error, its second none."""
    one = rig(datasets.monitoring_events())
    one.store.execute("CREATE SEQUENCE datasets.attempts")
    one.add_trigger(
        "IF nextval('datasets.attempts') % 2 = 1 THEN RAISE EXCEPTION 'try again' USING ERRCODE = new.service; END IF"
    )
    sink = one.start()
    for code in TRANSIENT:
        one.send(code)
        one.until(partial(_is_stored, one, code))
    one.await_exactly(TRANSIENT)
    told = " ".join(line["why"] for line in sink.events("waiting"))
    assert [code for code in TRANSIENT if code not in told] == []
    assert sink.events("records rejected") == []


def test_08_the_first_queries_after_a_reconnect_may_fail_too(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    one.start_ready()
    trap = one.postgres.cut_at(Place.FIRST_QUERY, times=4)
    one.postgres.cut()
    services = [f"s{number}" for number in range(5)]
    one.send(*services)
    one.until(lambda: trap.left == 0)
    one.await_exactly(services)


def _is_stored(one: Rig, service: str) -> bool:
    return service in one.stored()


def test_25_no_statement_holds_a_value(rig: MakeRig) -> None:
    """A text of its own for each commit would fill pg_stat_statements, and every plan cache."""
    one = rig(datasets.monitoring_events())
    one.start_ready()
    services = [f"service {number}" for number in range(6)]
    for service in services:
        one.send(service)
        one.until(partial(_is_stored, one, service))
    one.deployment.await_drained()
    texts = set(one.postgres.statements)
    commits = [commit for (commit,) in one.store.commits("commit_id::text")]
    assert len(commits) == len(services)
    assert [text for text in texts for value in (*services, *commits) if value in text] == []
    assert len([text for text in texts if one.store.plan.relation in text]) <= 3


def test_29_a_transaction_pooler_in_between(rig: MakeRig) -> None:
    """Two sinks share two server sessions, which change hands after every transaction."""
    one = rig(datasets.monitoring_events(batch_records=5))
    with running_pgbouncer(one.conninfo, sessions=2) as port:
        for _ in range(2):
            one.start(SLUICE_DATABASE_PORT=str(port), SLUICE_DATABASE_POOLER="transaction")
        services = [f"s{number}" for number in range(40)]
        one.send(*services)
        one.await_exactly(services)


def test_33_an_outage_with_restarts_sends_nothing_to_the_dead_letter_queue(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=1, max_receive_count=1)
    one.postgres.refuse()
    one.send("a", "b")
    for _ in range(2):
        sink = one.start()
        one.await_waiting(sink, "postgres", lines=4)  # of three threads: each has tried, and one again
        one.kill(sink)
    assert one.aws.received() == []
    one.postgres.accept()
    one.start()
    one.await_exactly(["a", "b"])


def test_34_a_password_rotated_under_load(rig: MakeRig) -> None:
    """Postgres knows it first: what is refused meanwhile waits until the secret tells the new one."""
    one = rig(datasets.monitoring_events(), visibility_timeout_seconds=3)
    sink = one.start_ready()
    services = [f"s{number}" for number in range(20)]
    one.send(*services[:10])
    role, password = login(one.store.dataset), secrets.token_hex(16)
    one.store.admin.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
    )
    one.postgres.cut()
    one.send(*services[10:])
    one.await_waiting(sink, "postgres", lines=3)
    one.server.session().client("secretsmanager").put_secret_value(
        SecretId=one.deployment.environment["SLUICE_DATABASE_SECRET_ARN"],
        SecretString=json.dumps({"username": role, "password": password}),
    )
    one.await_exactly(services)
    assert password not in sink.log.read_text()


def test_37_settings_of_the_role_change_nothing(rig: MakeRig) -> None:
    one = rig(datasets.monitoring_events())
    role = sql.Identifier(login(one.store.dataset))
    for name, value in {
        "TimeZone": "Asia/Kathmandu",
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "bytea_output": "escape",
        "extra_float_digits": "-15",
        "synchronous_commit": "off",
        "default_transaction_isolation": "repeatable read",
        "statement_timeout": "1",
        "lock_timeout": "1",
        "search_path": "nowhere",
    }.items():
        setting = sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(name), sql.Literal(value))
        one.store.admin.execute(setting)
    names = ["synchronous_commit", "transaction_isolation", "statement_timeout", "lock_timeout"]
    one.store.execute("CREATE TABLE datasets.seen (name text, value text)")
    one.add_trigger(
        f"INSERT INTO datasets.seen SELECT n, current_setting(n) FROM unnest(ARRAY{names}::text[]) AS n"
    )
    record = {
        "at": "2024-02-01T23:30:00.123456+05:45",
        "day": "2024-02-01",
        "duration_ms": 0.1234567890123456,
    }
    one.deployment.send(Message((monitored("a", **record),), DATASET))
    one.start()
    one.await_exactly(["a"])
    assert one.store.fetch(
        "SELECT at = '2024-02-01T17:45:00.123456Z', day = '2024-02-01', duration_ms = 0.1234567890123456::float8,"
        " record ->> 'at' FROM datasets.monitoring_events_v1"
    ) == [(True, True, True, record["at"])]
    seen = dict(one.store.fetch("SELECT DISTINCT name, value FROM datasets.seen"))
    assert seen["synchronous_commit"] == "on"
    assert seen["transaction_isolation"] == "read committed"
    assert {seen["statement_timeout"], seen["lock_timeout"]}.isdisjoint({"0", "1ms"}), (
        "bounded, and not by the role"
    )
