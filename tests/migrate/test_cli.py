"""`sluice plan` and `sluice migrate`, as a user runs them."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from compiler.cli.database import LIBPQ_VARIABLES
from compiler.cli.main import main
from tests.migrate.conftest import Database

ROOT = Path(__file__).parents[2]
CHAIN = Path("datasets/alert_events/migrations/v1")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one dataset and no chain yet; no database is named."""
    source = ROOT / "datasets" / "alert_events"
    shutil.copytree(
        source,
        tmp_path / "datasets" / "alert_events",
        ignore=shutil.ignore_patterns("migrations", "history*"),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    for name in (*LIBPQ_VARIABLES, "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def named_database(project, fresh_database, monkeypatch):
    """The database that libpq's variables name; with the writer role of the prefix `test`."""
    for key, name in (("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("dbname", "PGDATABASE")):
        monkeypatch.setenv(name, str(fresh_database[key]))
    monkeypatch.setenv("PGPASSWORD", fresh_database["password"])
    database = Database(fresh_database)
    database.make_role("test_alert_events_w")
    return database


def sluice(*arguments):
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit_manifest(project, change):
    path = project / "datasets" / "alert_events" / "dataset.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2))


def test_plan_writes_the_chain_once(project):
    first = sluice("plan")
    assert first.exit_code == 0, first.output
    assert "alert_events v1: 0001_create.sql, phase expand" in first.stdout
    assert '  step 1: create table "alert_events_v1"    lock none, instant' in first.stdout
    assert f"  wrote {CHAIN}/0001_create.sql" in first.stdout
    assert "  wrote datasets/alert_events/history.json" in first.stdout
    before = contents(project)
    second = sluice("plan", "alert_events")
    assert (second.exit_code, second.stdout) == (0, "alert_events v1: nothing to do\n")
    assert contents(project) == before
    assert sluice("check").exit_code == 0


def test_plan_writes_files_that_a_user_may_read(project):
    os.umask(0o022)
    sluice("plan")
    assert {path.stat().st_mode & 0o777 for path in (project / CHAIN).iterdir()} == {0o644}


def test_plan_check_writes_nothing(project):
    before = contents(project)
    found = sluice("plan", "--check")
    assert found.exit_code == 1
    assert f"  would write {CHAIN}/chain.lock" in found.stdout
    assert contents(project) == before
    sluice("plan")
    assert sluice("plan", "--check").exit_code == 0


def test_plan_as_json(project):
    (document,) = json.loads(sluice("plan", "--format", "json").stdout)
    assert (document["dataset"], document["version"], document["result"]) == ("alert_events", 1, "create")
    (migration,) = document["migrations"]
    assert (migration["file"], migration["phase"]) == ("0001_create.sql", "expand")
    assert migration["steps"][0]["title"] == 'create table "alert_events_v1"'
    assert migration["steps"][0]["sql"].startswith('CREATE TABLE "datasets"."alert_events_v1" (')
    assert str(CHAIN / "table.json") in document["files"]
    (again,) = json.loads(sluice("plan", "--format", "json").stdout)
    assert (again["result"], again["files"]) == ("nothing", [])


def rekey(manifest):
    """The key loses a column, and the table with it."""
    manifest["table"] = {**manifest["table"], "key": ["dedupe_key"], "indexes": []}
    manifest["record"]["required"].remove("org_id")
    del manifest["record"]["properties"]["org_id"]


def test_plan_as_markdown(project):
    sluice("plan")
    assert sluice("plan", "--format", "markdown").stdout == "### alert_events v1: nothing to do\n\n"
    edit_manifest(
        project,
        lambda manifest: manifest["record"]["properties"].update(
            region={"type": "string", "description": "``` in a fence"}
        ),
    )
    found = sluice("plan", "--check", "--format", "markdown")
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    assert lines[0] == "### alert_events v1: 0002_add_region.sql, phase expand"
    assert (
        '| 1. add column "region" | ACCESS EXCLUSIVE | instant | in a transaction with its neighbours | none |'
        in lines
    )
    assert (
        '| 3. comment on "alert\\_events\\_v1" | SHARE UPDATE EXCLUSIVE | instant | in its own transaction | none |'
        in lines
    )
    assert lines[lines.index("````sql") + 1].startswith("ALTER TABLE")
    assert "````" in lines[lines.index("````sql") + 1 :]
    edit_manifest(project, rekey)
    refused = sluice("plan", "--format", "markdown")
    assert refused.stdout.startswith("### alert_events v1: refused\n\n* ")
    assert "\n* column org\\_id removed" in refused.stdout


def test_a_changed_table_is_planned_and_applied(project, fresh_database, named_database):
    sluice("plan")
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0
    edit_manifest(
        project, lambda manifest: manifest["record"]["properties"].update(region={"type": "string"})
    )
    checked = sluice("check")
    assert checked.exit_code == 1
    assert "table.json: The manifest's table is not the one that the chain ends in: column region added" in (
        checked.stderr
    )
    assert "Run `sluice plan alert_events`." in checked.stderr
    (document,) = json.loads(sluice("plan", "--check", "--format", "json").stdout)
    (migration,) = document["migrations"]
    assert (document["result"], [step["hazard"] for step in migration["steps"]]) == ("change", ["none"] * 2)
    found = sluice("plan")
    assert found.exit_code == 0
    assert "alert_events v1: 0002_add_region.sql, phase expand\n" in found.stdout
    assert '  step 1: add column "region"    lock ACCESS EXCLUSIVE, instant\n' in found.stdout
    assert sluice("check").exit_code == 0
    assert sluice("plan", "--check").exit_code == 0
    applied = sluice("migrate", "apply", "--prefix", "test")
    assert (applied.exit_code, applied.stdout.splitlines()[-1]) == (0, "alert_events v1: 1 applied")
    assert sluice("migrate", "status").stdout == "alert_events v1: 2 applied, 0 pending\n"


def test_a_hazard_is_approved_before_it_is_applied(project, fresh_database, named_database):
    """plan says how, check insists, apply refuses until then; the approval is in the file and in the lock."""
    sluice("plan")
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0
    edit_manifest(project, lambda manifest: manifest["table"]["columns"].pop("sender"))
    planned = sluice("plan")
    assert planned.exit_code == 0
    assert (
        '  step 1: drop column "sender"    lock ACCESS EXCLUSIVE, instant, hazard data loss\n'
        in planned.stdout
    )
    command = 'sluice plan alert_events --approve 0002.1 --because "<why>"'
    assert f"  to approve: {command}\n" in planned.stdout
    checked = sluice("check")
    assert checked.exit_code == 1
    assert "0002_drop_sender.sql: Step 1 (drop column" in checked.stderr
    assert command in checked.stderr
    refused = sluice("migrate", "apply", "--prefix", "test")
    assert (refused.exit_code, command in refused.stderr) == (1, True)
    assert "  pending: 0002_drop_sender.sql\n" in sluice("migrate", "status").stdout
    approved = sluice("plan", "alert_events", "--approve", "0002.1", "--because", "Nobody reads it.")
    assert (approved.exit_code, approved.stdout.splitlines()[-1]) == (0, f"wrote {CHAIN}/chain.lock")
    text = (project / CHAIN / "0002_drop_sender.sql").read_text()
    assert re.search(
        r'^-- approved: step 1 data-loss sql12:[0-9a-f]{12} because "Nobody reads it."$', text, re.MULTILINE
    )
    assert sluice("check").exit_code == 0
    assert sluice("plan", "--check").exit_code == 0
    applied = sluice("migrate", "apply", "--prefix", "test")
    assert (applied.exit_code, applied.stdout.splitlines()[-1]) == (0, "alert_events v1: 1 applied")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--approve", "0001.1", "--because", "x"], "Approve steps of one dataset at a time"),
        (["alert_events", "--approve", "0001.1"], "--approve needs the reason"),
        (["alert_events", "--because", "x"], "--because TEXT is the reason of an --approve"),
        (["alert_events", "--approve", "first", "--because", "x"], "A step is named by its file's number"),
        (["alert_events", "--approve", "0001.1", "--because", "x"], "has no hazard to approve"),
        (["alert_events", "--approve", "0001.99", "--because", "x"], "There is no step 0001.99"),
    ],
)
def test_an_approval_of_nothing_is_a_usage_error(project, arguments, says):
    sluice("plan")
    before = contents(project)
    found = sluice("plan", *arguments)
    assert (found.exit_code, says in found.stderr) == (2, True), found.output
    assert contents(project) == before


def test_a_change_that_is_not_planned_is_refused_by_name_and_nothing_is_written(project):
    sluice("plan")
    before = contents(project / "datasets" / "alert_events" / "migrations")
    edit_manifest(project, rekey)
    found = sluice("plan")
    assert found.exit_code == 1
    assert "alert_events v1: refused\n" in found.stdout
    assert "  column org_id removed: it is part of the key" in found.stdout
    assert 'set "version" to 2' in found.stdout
    assert contents(project / "datasets" / "alert_events" / "migrations") == before


def test_what_is_not_the_table_needs_no_plan(project):
    sluice("plan")
    edit_manifest(project, lambda manifest: manifest.update(owner="somebody-else"))
    assert sluice("plan", "--check").exit_code == 0
    assert sluice("check").exit_code == 0


def test_a_wrong_manifest_is_told_and_the_others_are_planned(project):
    shutil.copytree(project / "datasets" / "alert_events", project / "datasets" / "other")
    found = sluice("plan")
    assert found.exit_code == 1
    assert "datasets/other/dataset.json" in found.stderr


def test_a_broken_chain_is_told(project):
    sluice("plan")
    path = project / CHAIN / "0001_create.sql"
    path.write_text(path.read_text().replace("char_length", "length"))
    for command in (("plan",), ("check",), ("migrate", "apply", "--prefix", "test"), ("migrate", "status")):
        found = sluice(*command)
        assert found.exit_code == 1
        assert f"{CHAIN}/0001_create.sql: The SQL was edited" in found.stderr
        assert "Restore the file from git" in found.stderr


@pytest.mark.parametrize("command", [["plan"], ["migrate", "status"], ["migrate", "apply", "--prefix", "x"]])
def test_a_name_that_is_none_is_a_usage_error(project, command):
    found = sluice(*command, "alert_event")
    assert found.exit_code == 2
    assert 'There is no dataset "alert_event". Did you mean "alert_events"?' in found.stderr


def test_apply_and_status(named_database):
    sluice("plan")
    first = sluice("migrate", "apply", "--prefix", "test")
    assert first.exit_code == 0, first.output
    assert "control schema: 0001_control.sql" in first.stdout
    assert '  step 1: create table "alert_events_v1"    lock none, instant' in first.stdout
    assert first.stdout.endswith("alert_events v1: 1 applied\n")
    second = sluice("migrate", "apply", "--prefix", "test", "alert_events")
    assert (second.exit_code, second.stdout) == (0, "alert_events v1: nothing to do\n")
    status = sluice("migrate", "status")
    assert (status.exit_code, status.stdout) == (0, "alert_events v1: 1 applied, 0 pending\n")
    named_database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    drifted = sluice("migrate", "status")
    assert drifted.exit_code == 1
    assert "  changed outside of its migrations: column extra added (text)\n" in drifted.stdout
    refused = sluice("migrate", "apply", "--prefix", "test")
    assert refused.exit_code == 1
    assert "column extra added (text)" in refused.stderr
    assert "Not applied: alert_events." in refused.stderr


def test_status_as_json(named_database):
    sluice("plan")
    sluice("migrate", "apply", "--prefix", "test")
    assert json.loads(sluice("migrate", "status", "--format", "json").stdout) == [
        {
            "dataset": "alert_events",
            "version": 1,
            "applied": ["0001_create.sql"],
            "pending": [],
            "drift": [],
            "trouble": [],
            "held_back": [],
        }
    ]


def test_a_pending_file_is_told(named_database):
    sluice("plan")
    assert sluice("migrate", "apply", "--prefix", "none").exit_code == 1  # brings the control schema
    found = sluice("migrate", "status")
    assert found.exit_code == 1
    assert found.stdout == "alert_events v1: 0 applied, 1 pending\n  pending: 0001_create.sql\n"


def test_a_missing_role_is_told_with_who_makes_it(named_database):
    sluice("plan")
    found = sluice("migrate", "apply", "--prefix", "other")
    assert found.exit_code == 1
    assert "There is no role other_alert_events_w" in found.stderr
    assert "The Pulumi program makes it" in found.stderr


def test_a_chain_that_was_never_planned_is_not_applied(named_database):
    found = sluice("migrate", "apply", "--prefix", "test")
    assert found.exit_code == 1
    assert "Run `sluice plan alert_events`." in found.stderr


def test_a_database_without_an_environment_is_a_usage_error(named_database):
    sluice("plan")
    for arguments in ((), ("--prefix", "a", "--stack", "b")):
        found = sluice("migrate", "apply", *arguments)
        assert found.exit_code == 2, found.output


def test_no_database_at_all_names_dev_up_and_libpq(project):
    sluice("plan")
    found = sluice("migrate", "status")
    assert found.exit_code == 1
    assert "sluice dev up" in found.stderr
    assert "PGHOST" in found.stderr


def test_the_embedded_environment_is_the_default(project, fresh_database):
    database = Database(fresh_database)
    database.make_role("embedded_alert_events_w")
    shutil.copy(ROOT / "Pulumi.embedded.yaml", project)
    (project / "home").mkdir()
    (project / "home" / "outputs.json").write_text(json.dumps({"postgres": fresh_database}))
    sluice("plan")
    found = sluice("migrate", "apply")
    assert found.exit_code == 0, found.output
    assert sluice("migrate", "status").exit_code == 0


def test_a_service_file_names_the_database(project, fresh_database, monkeypatch):
    fields = {key: value for key, value in fresh_database.items() if key != "password"}
    lines = "".join(f"{key}={value}\n" for key, value in fields.items())
    (project / "services").write_text(f"[mine]\n{lines}")
    monkeypatch.setenv("PGSERVICEFILE", str(project / "services"))
    monkeypatch.setenv("PGSERVICE", "mine")
    monkeypatch.setenv("PGPASSWORD", fresh_database["password"])
    Database(fresh_database).make_role("test_alert_events_w")
    sluice("plan")
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0


def test_no_output_tells_the_password(named_database, monkeypatch):
    sluice("plan")
    outputs = [sluice("migrate", "apply", "--prefix", "test").output, sluice("migrate", "status").output]
    monkeypatch.setenv("PGPASSWORD", "hunter2-s3cret")
    outputs.append(sluice("migrate", "status").output)
    assert "password authentication failed" in outputs[-1]
    for output in outputs:
        assert named_database.conninfo["password"] not in output
        assert "hunter2" not in output


def test_a_dry_run_shows_what_would_run_and_makes_nothing(named_database):
    sluice("plan")
    found = sluice("migrate", "apply", "--prefix", "test", "--dry-run")
    assert found.exit_code == 0, found.output
    assert "would make role sluice_owner\n" in found.stdout
    assert "would make control schema: 0001_control.sql\n" in found.stdout
    assert "alert_events v1: would run 0001_create.sql\n" in found.stdout
    assert '    CREATE TABLE "datasets"."alert_events_v1" (\n' in found.stdout
    assert named_database.fetch("SELECT count(*) FROM pg_namespace WHERE nspname = 'sluice'") == [(0,)]
    sluice("migrate", "apply", "--prefix", "test")
    again = sluice("migrate", "apply", "--prefix", "test", "--dry-run")
    assert (again.exit_code, again.stdout) == (0, "alert_events v1: nothing to do\n")
    named_database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    drifted = sluice("migrate", "apply", "--prefix", "test", "--dry-run")
    assert drifted.exit_code == 1
    assert drifted.stdout == (
        "alert_events v1: cannot be applied as it is\n"
        "  datasets.alert_events_v1 was changed outside of its migrations:\n"
        "    column extra added (text)\n"
    )


def test_verify(named_database):
    sluice("plan")
    sluice("migrate", "apply", "--prefix", "test")
    assert sluice("migrate", "verify").stdout == "alert_events v1: as 0001_create.sql left it\n"
    named_database.execute(
        """UPDATE sluice.migrations SET snapshot = replace(snapshot::text, '"major":', '"major":1')::json"""
    )
    major = named_database.session_major()
    assert sluice("migrate", "verify").stdout.splitlines()[1:] == [
        f"  its texts were kept from Postgres 1{major}; those of Postgres {major} are kept now"
    ]
    named_database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    found = sluice("migrate", "verify")
    assert (found.exit_code, found.stdout) == (
        1,
        "alert_events v1: not as the journal says\n  column extra added (text)\n",
    )


def test_what_others_manage_is_planned_without_a_migration(project, named_database):
    sluice("plan")
    sluice("migrate", "apply", "--prefix", "test")
    named_database.execute("CREATE INDEX mine ON datasets.alert_events_v1 (sender)")
    assert sluice("migrate", "status").exit_code == 1
    edit_manifest(project, lambda manifest: manifest["table"].update(unmanaged=["index:mine"]))
    assert "unmanaged) is another list. Run `sluice plan alert_events`." in sluice("check").stderr
    assert sluice("plan").stdout == (
        "alert_events v1: what others manage on the table is new\n"
        "  wrote datasets/alert_events/migrations/v1/table.json\n"
    )
    assert sluice("check").exit_code == 0
    assert sluice("migrate", "status").exit_code == 0
    edit_manifest(
        project, lambda manifest: manifest["record"]["properties"].update(region={"type": "string"})
    )
    sluice("plan")
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0
    edit_manifest(project, lambda manifest: manifest["table"].pop("unmanaged"))
    sluice("plan")
    assert "index mine added" in sluice("migrate", "status").stdout


def test_adopt_writes_what_git_needs_to_follow(project, named_database):
    sluice("plan")
    sluice("migrate", "apply", "--prefix", "test")
    assert sluice("migrate", "adopt", "alert_events").stdout == (
        "alert_events v1: nothing was changed by hand\n"
    )
    named_database.execute("ALTER TABLE datasets.alert_events_v1 ADD COLUMN extra text")
    assert "`sluice migrate adopt alert_events`" in sluice("migrate", "status").stdout
    named_database.execute("CREATE INDEX mine ON datasets.alert_events_v1 (lower(sender))")
    before = contents(project)
    refused = sluice("migrate", "adopt", "alert_events")
    assert refused.exit_code == 1
    assert "  index mine is on an expression\n" in refused.stderr
    assert contents(project) == before
    named_database.execute("DROP INDEX datasets.mine")
    found = sluice("migrate", "adopt", "alert_events")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "alert_events v1: 0002_add_extra.sql, phase expand",
        '  step 1: add column "extra"    lock ACCESS EXCLUSIVE, instant',
        f"  wrote {CHAIN}/0002_add_extra.sql",
        f"  wrote {CHAIN}/table.json",
        f"  wrote {CHAIN}/chain.lock",
        "Write into datasets/alert_events/dataset.json, then run `sluice plan alert_events`:",
        '  $.record.properties.extra: {"type": "string"}',
    ]
    edit_manifest(project, lambda manifest: manifest["record"]["properties"].update(extra={"type": "string"}))
    assert "0003_" in sluice("plan").stdout
    applied = sluice("migrate", "apply", "--prefix", "test")
    assert applied.exit_code == 0, applied.output
    assert "alert_events v1: 0002_add_extra.sql (entered: the table is so already)\n" in applied.stdout
    assert '  step 1: show "extra" in view "alert_events"' in applied.stdout
    assert sluice("migrate", "status").exit_code == 0
