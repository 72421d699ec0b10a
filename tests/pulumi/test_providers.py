"""The dynamic providers against a real Postgres and the emulator, called in the engine's order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider

from compiler import names
from compiler.dataset import Dataset
from compiler.emit.pulumi import login_provider, table_provider
from compiler.emit.pulumi.admin import AdminError
from compiler.emit.pulumi.login_provider import SinkLoginProvider
from compiler.emit.pulumi.table_provider import ControlSchemaProvider, DatasetTableProvider
from compiler.migrate.apply import apply_chain
from compiler.migrate.chain import read_chain
from compiler.migrate.control import control_files
from compiler.migrate.errors import ConnectError, DriftError, HeldBackError, TooLongError
from compiler.migrate.propose import approve, propose, write
from compiler.migrate.sizes import Size
from dev.emulator.state import EmulatorState
from tests.support.datasets import alert_events
from tests.support.postgres import every_major

ADMIN = "SLUICE_TEST_ADMIN"
WRITER = "t_alert_events_w"


@pytest.fixture
def configuration(fresh_database: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The stack's configuration as the engine hands it on; the administrator's connection is in the environment only."""
    monkeypatch.setenv(ADMIN, make_conninfo(**fresh_database))
    database = {
        "host": fresh_database["host"],
        "port": int(fresh_database["port"]),
        "name": fresh_database["dbname"],
        "sslmode": "disable",
        "superuser": True,
        "admin": f"env:{ADMIN}",
    }
    return {"sluice:database": json.dumps(database), "sluice:region": "eu-central-1"}


def configured(kind: type[ResourceProvider], configuration: Mapping[str, str]) -> Any:
    provider = kind()
    provider.configure(ConfigureRequest(Config(dict(configuration), "sluice")))
    return provider


class Engine:
    """One resource's life as the engine leads it: check, diff, then create or update; inputs and outputs are kept."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.id = ""

    def up(self, props: Mapping[str, Any]) -> str:
        """Bring the resource to the properties; says what was done."""
        checked = self.provider.check(dict(self.inputs), dict(props))
        if checked.failures:
            raise AssertionError("; ".join(one.reason for one in checked.failures))
        old, self.inputs = self.inputs, checked.inputs
        if not old:
            made = self.provider.create(self.inputs)
            self.id, self.outputs = made.id, made.outs
            return "create"
        difference = self.provider.diff(self.id, self.outputs, self.inputs)
        if not difference.changes:
            return "same"
        if difference.replaces:
            return "replace"
        self.outputs = self.provider.update(self.id, self.outputs, self.inputs).outs
        return "update"

    def refresh(self) -> bool:
        """Read the resource back into inputs and outputs; False where it is gone."""
        found = self.provider.read(self.id, dict(self.outputs))
        self.outputs = found.outs
        if found.inputs is not None:
            self.inputs = found.inputs
        if not found.id:
            self.inputs = {}
        return bool(found.id)


@pytest.fixture
def control(configuration: dict[str, str]) -> Engine:
    return Engine(configured(ControlSchemaProvider, configuration))


@pytest.fixture
def table(configuration: dict[str, str]) -> Engine:
    return Engine(configured(DatasetTableProvider, configuration))


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Dataset], dict[str, Any]]:
    """Plan a dataset below the working folder; returns the table resource's properties."""
    monkeypatch.chdir(tmp_path)

    def plan(dataset: Dataset) -> dict[str, Any]:
        folder = tmp_path / "datasets" / dataset.name
        folder.mkdir(parents=True, exist_ok=True)
        write(propose(dataset, folder))
        chain = read_chain(folder, dataset.name, dataset.version)
        assert chain is not None
        return {
            "dataset": dataset.name,
            "version": float(dataset.version),  # the wire knows no integers
            "owner": dataset.owner,
            "folder": f"datasets/{dataset.name}",
            "chain": chain.files[-1].sha256,
            "writer_role": WRITER,
            "phase": "expand",
        }

    return plan


@pytest.fixture
def prepared(control: Engine, fresh_database: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    """A database with the control schema and the writer's role."""
    control.up({"schemas": ["datasets"]})
    with psycopg.connect(**fresh_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {WRITER} ROLE CURRENT_USER")
        yield connection


def test_the_control_schema_comes_once(control, fresh_database):
    assert control.up({"schemas": ["datasets"]}) == "create"
    files = [file.name for file in control_files()]
    assert control.inputs["files"] == files
    assert "CREATE TABLE sluice.datasets" in control.inputs["statements"][0]
    assert control.up({"schemas": ["datasets"]}) == "same"
    assert control.inputs["statements"] == []
    with psycopg.connect(**fresh_database) as connection:
        assert connection.execute("SELECT count(*) FROM sluice.control_migrations").fetchone() == (
            len(files),
        )


def test_another_datasets_schema_is_brought_by_an_update(control, fresh_database):
    control.up({"schemas": ["datasets"]})
    assert control.up({"schemas": ["other", "datasets"]}) == "update"
    with psycopg.connect(**fresh_database) as connection:
        found = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('datasets', 'other')"
        ).fetchall()
    assert len(found) == 2


@every_major
def test_check_shows_the_sql_create_runs_it_and_then_nothing_is_left(prepared, table, planned):
    props = planned(alert_events())
    checked = table.provider.check({}, props).inputs
    assert checked["files"] == ["0001_create.sql"]
    assert any("CREATE TABLE" in statement for statement in checked["statements"])
    assert checked["hazards"] == []
    assert prepared.execute("SELECT to_regclass('datasets.alert_events_v1')").fetchone() == (None,)

    assert table.up(props) == "create"
    assert prepared.execute("SELECT count(*) FROM datasets.alert_events").fetchone() == (0,)
    assert prepared.execute("SELECT writer_role, owner FROM sluice.datasets").fetchone() == (
        WRITER,
        "risk-platform",
    )

    assert table.up(props) == "same"
    assert (table.inputs["statements"], table.inputs["files"]) == ([], [])
    assert table.inputs["from"] == table.inputs["to"]


def test_a_lost_state_finds_the_table_there(prepared, table, configuration, planned):
    props = planned(alert_events())
    table.up(props)
    again = Engine(configured(DatasetTableProvider, configuration))
    assert again.up(props) == "create"
    assert prepared.execute("SELECT count(*) FROM sluice.migrations").fetchone() == (1,)


def test_a_new_owner_updates_the_registry_without_any_sql_to_show(prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    assert table.up({**props, "owner": "other-team"}) == "update"
    assert table.inputs["statements"] == []
    assert prepared.execute("SELECT owner FROM sluice.datasets").fetchone() == ("other-team",)


def test_deleting_retains_the_rows(prepared, table, planned):
    table.up(planned(alert_events()))
    table.provider.delete(table.id, table.outputs)
    assert prepared.execute("SELECT count(*) FROM datasets.alert_events").fetchone() == (0,)


def test_deleting_drops_the_rows_where_the_tombstone_said_so(prepared, table, planned, fresh_database):
    table.up({**planned(alert_events()), "drops": True})
    prepared.execute("CREATE VIEW public.mine AS SELECT org_id FROM datasets.alert_events")
    with pytest.raises(ConnectError, match=r"other objects depend on it.*Nothing that was not finished"):
        table.provider.delete(table.id, table.outputs)
    assert prepared.execute("SELECT count(*) FROM datasets.alert_events").fetchone() == (0,)
    prepared.execute("DROP VIEW public.mine")
    table.provider.delete(table.id, table.outputs)
    gone = prepared.execute(
        "SELECT to_regclass('datasets.alert_events_v1'), to_regclass('datasets.alert_events')"
    )
    assert gone.fetchone() == (None, None)
    assert prepared.execute("SELECT count(*) FROM sluice.datasets").fetchone() == (0,)
    table.provider.delete(table.id, table.outputs)  # a run that was cut off after it may come again


def test_files_that_changed_after_the_program_looked_are_not_run(prepared, table, planned):
    props = {**planned(alert_events()), "chain": "sha256:" + "0" * 64}
    [failure] = table.provider.check({}, props).failures
    assert "the migrations in datasets/alert_events end in sha256:" in failure.reason


def test_a_chain_that_forgot_what_was_applied_is_refused(prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    table.inputs["chain"] = "sha256:" + "0" * 64
    [failure] = table.provider.check(table.inputs, props).failures
    assert "Migrations only grow" in failure.reason


def test_no_connection_string_reaches_inputs_or_outputs(
    prepared, table, planned, configuration, fresh_database
):
    table.up(planned(alert_events()))
    said = json.dumps([table.inputs, table.outputs, configuration])
    assert fresh_database["password"] not in said
    assert ADMIN in said


def test_a_refused_login_does_not_repeat_the_password(table, planned, fresh_database, monkeypatch):
    monkeypatch.setenv(ADMIN, make_conninfo(**{**fresh_database, "password": "hunter2"}))
    with pytest.raises(ConnectError, match="password authentication failed") as caught:
        table.up(planned(alert_events()))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["host=db password=hunter2 nonsense", "", '{"user": "hunter2"}'])
def test_a_wrong_connection_string_is_not_repeated(text, configuration, planned, monkeypatch):
    monkeypatch.setenv(ADMIN, text)
    engine = Engine(configured(DatasetTableProvider, configuration))
    with pytest.raises(AdminError, match=ADMIN) as caught:
        engine.up(planned(alert_events()))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or "hunter2" not in str(caught.value.__context__)


def test_a_preview_needs_no_administrator(configuration, planned, monkeypatch):
    monkeypatch.delenv(ADMIN)
    provider = configured(DatasetTableProvider, configuration)
    assert provider.check({}, planned(alert_events())).failures == []


def test_what_old_sinks_need_is_removed_once_they_are_gone(
    table, planned, prepared, configuration, monkeypatch
):
    old = alert_events()
    table.up(planned(old))
    dataset = alert_events(columns=old.columns[:-1])
    props, folder = planned(dataset), Path("datasets/alert_events")
    approve(dataset, folder, [(3, 1)], "Nobody reads it.")
    chain = read_chain(folder, dataset.name, dataset.version)
    assert chain is not None
    assert len(chain.expanded) < len(chain.files)
    after = {**props, "chain": chain.files[-1].sha256, "phase": "contract"}
    monkeypatch.setattr(table_provider, "RELEASE_ASK_SECONDS", 0.05)
    monkeypatch.setattr(table_provider, "RELEASE_SECONDS", 0.1)
    sink = "INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version) VALUES (%s, 'old:1', 'sha256:0', 1)"
    prepared.execute(sink, [dataset.name])
    assert table.up({**props, "chain": chain.expanded[-1].sha256}) == "update"
    with pytest.raises(HeldBackError, match="old:1"):
        Engine(configured(DatasetTableProvider, configuration)).up(after)

    apply, held = apply_chain, []

    def applied(*arguments: Any, **wishes: Any) -> Any:
        try:
            return apply(*arguments, **wishes)
        except HeldBackError:
            held.append(prepared.execute("UPDATE sluice.sink_instances SET last_seen = '-infinity'"))
            raise

    monkeypatch.setattr(table_provider, "RELEASE_SECONDS", 60)
    monkeypatch.setattr(table_provider, "apply_chain", applied)
    contract = Engine(configured(DatasetTableProvider, configuration))
    assert contract.up(after) == "create"
    assert len(held) == 1, "the sink ended while it was waited for"
    assert "DROP COLUMN" in "".join(contract.inputs["statements"])
    columns = prepared.execute("SELECT * FROM datasets.alert_events").description or ()
    assert "sender" not in {column.name for column in columns}
    assert contract.up(after) == "same"


# --- what a refresh sees ---------------------------------------------------------------------------------------------


def test_a_refresh_of_what_is_as_it_was_changes_nothing(control, prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    for engine in (control, table):
        before = (engine.inputs, engine.outputs)
        assert engine.refresh()
        assert (engine.inputs, engine.outputs) == before
    assert (control.up({"schemas": ["datasets"]}), table.up(props)) == ("same", "same")


def test_a_table_changed_by_hand_is_seen_and_the_next_update_refuses_with_the_drift(prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    prepared.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN by_hand text")
    assert table.up(props) == "same"
    assert table.refresh()
    [seen] = table.outputs["drift"]
    assert "by_hand" in seen
    with pytest.raises(
        DriftError, match=r"(?s)changed outside of its migrations.*by_hand.*sluice migrate adopt"
    ):
        table.up(props)
    prepared.execute("ALTER TABLE datasets.alert_events_v1 DROP COLUMN by_hand")
    assert table.up(props) == "update"
    assert table.outputs["drift"] == []
    assert table.up(props) == "same"


def test_drift_that_was_undone_by_hand_is_forgotten_by_a_refresh(prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    prepared.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN by_hand text")
    table.refresh()
    prepared.execute("ALTER TABLE datasets.alert_events_v1 DROP COLUMN by_hand")
    table.refresh()
    assert table.outputs["drift"] == []
    assert table.up(props) == "same"


def test_a_database_put_back_to_an_earlier_day_is_brought_forward_again(prepared, table, planned):
    dataset = alert_events()
    first = planned(dataset)
    table.up(first)
    longer = replace(dataset, indexes=(*dataset.indexes, replace(dataset.indexes[0], name="again")))
    props = planned(longer)
    first_end = table.outputs["to"]
    table.refresh()
    assert table.outputs["chain"] == first["chain"], "a file that waits is no drift"
    assert table.outputs["drift"] == []
    table.up(props)
    prepared.execute("DELETE FROM sluice.migration_steps WHERE number = 2")
    prepared.execute("DELETE FROM sluice.migrations WHERE number = 2")
    [index] = prepared.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%again%'").fetchone()
    prepared.execute(f"DROP INDEX datasets.{index}")
    assert table.refresh()
    assert (table.outputs["chain"], table.outputs["drift"]) == (first["chain"], [])
    assert table.provider.check(table.inputs, props).inputs["from"] == first_end
    assert table.up(props) == "update"


def test_what_an_operator_applied_beforehand_is_seen(prepared, table, planned, fresh_database):
    dataset = alert_events()
    table.up(planned(dataset))
    longer = replace(dataset, indexes=(*dataset.indexes, replace(dataset.indexes[0], name="again")))
    props = planned(longer)
    apply_chain(fresh_database, read_chain(Path(props["folder"]), dataset.name, 1), WRITER)
    assert table.refresh()
    assert table.outputs["chain"] == props["chain"]
    assert table.up(props) == "same"
    assert table.inputs["statements"] == []


def test_a_lost_database_is_seen_by_a_refresh_and_made_again(control, prepared, table, planned):
    props = planned(alert_events())
    table.up(props)
    prepared.execute("DROP SCHEMA datasets, sluice CASCADE")
    assert not control.refresh()
    assert not table.refresh()
    assert control.up({"schemas": ["datasets"]}) == "create"
    assert table.up(props) == "create"


def test_a_dropped_schema_is_seen(control, prepared):
    control.up({"schemas": ["datasets", "other"]})
    prepared.execute("DROP SCHEMA other")
    assert control.refresh()
    assert control.outputs["schemas"] == ["datasets"]
    assert control.up({"schemas": ["datasets", "other"]}) == "update"


def test_a_table_whose_folder_is_gone_is_left_as_it_was(prepared, table, planned):
    table.up(planned(alert_events()))
    before = table.outputs
    shutil.rmtree(before["folder"])
    assert table.refresh()
    assert table.outputs == before


def test_a_secret_that_is_gone_or_tagged_by_hand_is_seen(login, login_props, admin):
    login.up(login_props)
    before = (login.inputs, login.outputs)
    assert login.refresh()
    assert (login.inputs, login.outputs) == before
    client = admin.client("secretsmanager")
    client.tag_resource(SecretId=login.id, Tags=[{"Key": "by", "Value": "hand"}])
    assert login.refresh()
    assert login.outputs["tags"] == {"sluice:dataset": "x", "by": "hand"}
    assert login.up(login_props) == "update"
    assert login.refresh()
    assert login.up(login_props) == "same"
    client.delete_secret(SecretId=login.id, RecoveryWindowInDays=7)
    assert not login.refresh()
    assert login.up(login_props) == "create"


# --- the sink's login -----------------------------------------------------------------------------------------------


@pytest.fixture
def login_props(prepared: psycopg.Connection[Any], unique: str) -> dict[str, Any]:
    prepared.execute(f"CREATE ROLE {unique} LOGIN")
    return {
        "role": unique,
        "secret_name": f"{unique}_login",
        "rotation": 0.0,
        "tags": {"sluice:dataset": "x"},
    }


@pytest.fixture
def login(configuration: dict[str, str], emulator: EmulatorState, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The provider, with the emulator's administrator as ambient credentials."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", emulator.admin.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", emulator.admin.secret_access_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return Engine(configured(SinkLoginProvider, configuration))


@pytest.fixture
def stored(admin: Any) -> Callable[[Engine], dict[str, str]]:
    """What the secret holds."""
    client = admin.client("secretsmanager")
    return lambda engine: json.loads(client.get_secret_value(SecretId=engine.id)["SecretString"])


def can_log_in(database: Mapping[str, Any], secret: Mapping[str, str]) -> bool:
    login = {**database, "user": secret["username"], "password": secret["password"]}
    try:
        with psycopg.connect(**login) as connection:
            return connection.execute("SELECT current_user").fetchone() == (secret["username"],)
    except psycopg.OperationalError:
        return False


def test_the_stored_password_logs_in_and_nothing_else_is_told(
    login, login_props, stored, fresh_database, prepared
):
    assert login.up(login_props) == "create"
    secret = stored(login)
    assert secret["username"] == login_props["role"]
    assert can_log_in(fresh_database, secret)
    assert not can_log_in(fresh_database, {**secret, "password": "guess"})
    assert set(login.outputs) == {*login_props, "secret_arn"}
    assert login.outputs["secret_arn"] == login.id
    assert secret["password"] not in json.dumps([login.inputs, login.outputs])
    [kept] = prepared.execute(
        "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [secret["username"]]
    ).fetchone()
    assert kept.startswith("SCRAM-SHA-256$")


def test_the_clear_password_is_not_sent_to_the_server(login, login_props, stored, monkeypatch):
    sent = []
    execute = psycopg.Connection.execute

    def spying(self, query, *args, **kwargs):
        sent.append(query.as_string(self) if hasattr(query, "as_string") else str(query))
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "execute", spying)
    login.up(login_props)
    assert any("ALTER ROLE" in query and "SCRAM-SHA-256$" in query for query in sent)
    assert stored(login)["password"] not in "\n".join(sent)


def test_nothing_changes_until_a_rotation_is_asked_for(login, login_props, stored, fresh_database):
    login.up(login_props)
    before = stored(login)
    assert login.up(login_props) == "same"
    assert login.up({**login_props, "tags": {"sluice:dataset": "y"}}) == "update"
    assert stored(login) == before
    assert login.up({**login_props, "tags": {"sluice:dataset": "y"}, "rotation": 1.0}) == "update"
    after = stored(login)
    assert after["password"] != before["password"]
    assert can_log_in(fresh_database, after)
    assert not can_log_in(fresh_database, before)


def test_a_run_that_was_cut_off_keeps_the_password_that_it_stored(
    login, login_props, stored, fresh_database, configuration
):
    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(login_provider, "set_password", cut_off)
        with pytest.raises(KeyboardInterrupt):
            login.up(login_props)
    again = Engine(configured(SinkLoginProvider, configuration))
    assert again.up(login_props) == "create"
    assert can_log_in(fresh_database, stored(again))


def test_a_removed_login_can_be_made_again(login, login_props, stored, fresh_database, configuration):
    login.up(login_props)
    login.provider.delete(login.id, login.outputs)
    login.provider.delete("arn:aws:secretsmanager:eu-central-1:123456789012:secret:never-AbCdEf", {})
    again = Engine(configured(SinkLoginProvider, configuration))
    again.up(login_props)
    assert can_log_in(fresh_database, stored(again))


def test_somebody_elses_secret_is_left_alone(login, login_props, admin):
    admin.client("secretsmanager").create_secret(
        Name=login_props["secret_name"], SecretString='{"username": "root"}'
    )
    with pytest.raises(ValueError, match="is there already and is not the login of"):
        login.up(login_props)


def test_another_role_is_another_login(login, login_props):
    login.up(login_props)
    assert login.up({**login_props, "role": "other"}) == "replace"


def test_the_secrets_name_is_within_its_limit():
    assert len(names.login_secret("p" * 16, "d" * 48)) <= 80


def test_a_step_that_would_take_too_long_is_left_to_sluice_migrate_apply(
    prepared, table, planned, monkeypatch
):
    dataset = alert_events()
    table.up(planned(dataset))
    longer = replace(dataset, indexes=(*dataset.indexes, replace(dataset.indexes[0], name="again")))
    props = planned(longer)
    with monkeypatch.context() as patch:
        patch.setattr("compiler.migrate.sizes.size", lambda *_: Size(2**45, None))
        with pytest.raises(
            TooLongError, match=r"Run `sluice migrate apply alert_events` from this commit first"
        ):
            table.up(props)
    assert prepared.execute("SELECT count(*) FROM sluice.migrations").fetchone() == (1,)
    assert table.up(props) == "update"
