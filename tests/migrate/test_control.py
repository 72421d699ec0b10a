"""The control schema: made once, by whoever may, and never edited."""

import threading
from dataclasses import replace

import psycopg
import pytest

from compiler.canonical import sha256_bytes
from compiler.migrate import session
from compiler.migrate.apply import apply_control, status
from compiler.migrate.control import ControlFile, control_files
from compiler.migrate.errors import ConnectError, ControlError
from tests.migrate.conftest import Database, chain_of, writer
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

LOGIN = {"user": "test_migrator", "password": "p"}


def control(conninfo, schemas=("datasets",), files=None):
    with session.connect(conninfo) as connection:
        return apply_control(connection, schemas, files)


@every_major
def test_it_is_made_once(fresh_database):
    first = control(fresh_database, ("datasets", "more", "datasets"))
    assert first.schemas == ("sluice", "datasets", "more")
    assert first.files == tuple(file.name for file in control_files())
    again = control(fresh_database, ("datasets", "more"))
    assert (again.roles, again.schemas, again.files) == ((), (), ())
    database = Database(fresh_database)
    assert database.fetch("SELECT number, file_sha256 FROM sluice.control_migrations") == [
        (file.number, file.sha256) for file in control_files()
    ]
    assert database.fetch(
        "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class WHERE relnamespace = 'sluice'::regnamespace"
    ) == [("sluice_owner",)]
    assert database.fetch("SELECT has_schema_privilege('public', 'more', 'USAGE')") == [(True,)]
    assert database.fetch("SELECT has_schema_privilege('public', 'sluice', 'USAGE')") == [(False,)]
    assert database.fetch("SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE 'sluice\\_%'") == [
        (False,),
        (False,),
        (False,),
    ]


def test_many_at_once_make_it_once(fresh_database):
    results = []
    threads = [threading.Thread(target=lambda: results.append(control(fresh_database))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(len(result.files) for result in results) == [0, 0, 0, 0, len(control_files())]


def test_an_edited_file_is_refused(fresh_database):
    control(fresh_database)
    files = [replace(file, sha256=sha256_bytes(b"edited")) for file in control_files()]
    with pytest.raises(ControlError, match=r"0001_control.sql was applied with other contents"):
        control(fresh_database, files=files)


def test_a_newer_control_schema_is_refused(fresh_database):
    more = ControlFile(99, "0099_more.sql", "CREATE TABLE sluice.more (id integer);", sha256_bytes(b"more"))
    assert control(fresh_database, files=[*control_files(), more]).files[-1] == "0099_more.sql"
    with pytest.raises(ControlError, match=r"newer than this release: it has 0099_more.sql"):
        control(fresh_database)


def test_a_file_that_fails_leaves_nothing(fresh_database):
    bad = ControlFile(
        99, "0099_bad.sql", "CREATE TABLE sluice.more (id integer); SELECT 1 / 0;", sha256_bytes(b"bad")
    )
    with pytest.raises(ConnectError, match="division by zero"):
        control(fresh_database, files=[*control_files(), bad])
    assert Database(fresh_database).fetch("SELECT to_regclass('sluice.more')") == [(None,)]
    assert control(fresh_database).files == ()


@every_major
def test_a_member_of_the_owner_needs_no_more(database):
    dataset = alert_events()
    database.roles(dataset)
    database.make_role(LOGIN["user"], "LOGIN PASSWORD 'p'")
    database.execute(f"GRANT sluice_owner TO {LOGIN['user']}")
    assert control({**database.conninfo, **LOGIN}).files == ()
    assert database.apply(dataset, **LOGIN).applied == ("0001_create.sql",)
    assert database.fetch("SELECT applied_by::text FROM sluice.migrations") == [(LOGIN["user"],)]


@every_major
def test_a_role_that_may_create_prepares_a_database(fresh_database):
    """No superuser: CREATEROLE, and CREATE on the database, as on a managed server."""
    database = Database(fresh_database)
    roles = ("sluice_owner", "sluice_sink", "sluice_operator")
    others = database.fetch(f"SELECT rolname::text FROM pg_roles WHERE rolname IN {roles}")
    database.make_role(LOGIN["user"], "LOGIN CREATEROLE PASSWORD 'p'")
    for (role,) in others:  # which another test's administrator made: as if this login had
        database.execute(f"GRANT {role} TO {LOGIN['user']} WITH ADMIN OPTION")
    database.execute(f"GRANT CREATE ON DATABASE {fresh_database['dbname']} TO {LOGIN['user']}")
    made = control({**fresh_database, **LOGIN})
    assert set(made.roles) == set(roles) - {role for (role,) in others}
    assert made.schemas == ("sluice", "datasets")
    database.roles(alert_events())
    assert database.apply(alert_events(), **LOGIN).applied == ("0001_create.sql",)


@every_major
def test_a_role_without_rights_is_told_what_it_lacks(fresh_database):
    database = Database(fresh_database)
    database.make_role(LOGIN["user"], "LOGIN PASSWORD 'p'")
    with pytest.raises(ControlError, match=r"test_migrator may not prepare the database: .*CREATEROLE"):
        control({**fresh_database, **LOGIN})


@every_major
def test_a_login_that_is_no_member_is_told_the_grant(database):
    database.roles(alert_events())
    database.make_role(LOGIN["user"], "LOGIN PASSWORD 'p'")
    with pytest.raises(
        ConnectError, match=r'may not act as sluice_owner. .*GRANT sluice_owner TO "test_migrator"'
    ):
        database.apply(alert_events(), **LOGIN)


def test_without_the_owner_role_or_control_schema_the_foundation_is_named(fresh_database):
    database = Database(fresh_database)
    database.roles(alert_events())
    with pytest.raises(ConnectError, match=r"no role sluice_owner. .*Foundation"):
        database.apply(alert_events())
    database.make_role("sluice_owner")
    with pytest.raises(ControlError, match=r"control schema sluice is not there. .*Foundation"):
        database.apply(alert_events())
    with pytest.raises(ControlError, match="control schema sluice is not there"):
        status(fresh_database, chain_of(alert_events()))


def test_a_strangers_schema_is_told_the_grant(database):
    database.execute("CREATE SCHEMA theirs")
    with pytest.raises(ControlError, match=r'GRANT CREATE, USAGE ON SCHEMA "theirs" TO "sluice_owner"'):
        control(database.conninfo, ("theirs",))
    database.execute("GRANT CREATE, USAGE ON SCHEMA theirs TO sluice_owner")
    assert control(database.conninfo, ("theirs",)).schemas == ()


def test_the_snapshot_is_kept_for_operators(applied):
    database = applied(alert_events())
    ((definition,),) = database.fetch(
        "SELECT snapshot -> 'deparsed' -> 'constraints' ->> 'alert_events_v1_key' FROM sluice.migrations"
    )
    assert definition == "PRIMARY KEY (org_id, dedupe_key)"
    assert writer(alert_events()) == "test_alert_events_w"
    with psycopg.connect(**database.conninfo) as connection:
        assert connection.info.dbname == database.conninfo["dbname"]
