"""`sluice plan --rebase` and `--undo`, on real git repositories."""

import json
import subprocess

import pytest

from tests.migrate.test_cli import CHAIN, contents, edit_manifest, named_database, project, sluice

__all__ = ["named_database", "project"]


def git(*arguments, check=True):
    options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *options, *arguments], capture_output=True, check=check, text=True)


def commit(text):
    git("add", "-A")
    git("commit", "-q", "-m", text)


def column(project, name):
    edit_manifest(
        project, lambda manifest: manifest["record"]["properties"].update({name: {"type": "string"}})
    )


def nobody_sent_it(project):
    """Records with the reverted property may wait in a queue: that none does is the author's word."""
    edit_manifest(project, lambda manifest: manifest.update(evolve={"compatible": "No job sends it yet."}))


@pytest.fixture
def repository(project):
    """A repository whose branch main has one migration."""
    git("init", "-q", "-b", "main")
    sluice("plan")
    commit("begin")
    return project


@pytest.fixture
def forked(repository):
    """Two plans from one base: main has added `region`, ours `zone`; git could not merge them."""
    git("switch", "-q", "-c", "ours")
    column(repository, "zone")
    sluice("plan")
    commit("zone")
    git("switch", "-q", "main")
    column(repository, "region")
    sluice("plan")
    commit("region")
    git("switch", "-q", "ours")
    assert git("merge", "main", check=False).returncode == 1
    git("checkout", "--ours", "datasets/alert_events/dataset.json")
    column(repository, "region")
    return repository


def test_a_fork_is_named_with_its_way_out(forked):
    checked = sluice("check")
    assert checked.exit_code == 1
    assert (
        f"{CHAIN}/chain.lock: Two plans from one base: git left a conflict here. Run `sluice plan alert_events --rebase`"
        in checked.stderr
    )
    assert (
        "Two plans from one base: 0002_add_region.sql and 0002_add_zone.sql both follow 0001_create.sql."
        in (checked.stderr)
    )
    assert "chain-order" not in checked.stderr


def test_rebase_keeps_theirs_and_plans_ours_anew(forked):
    theirs = git("show", f"main:{CHAIN}/0002_add_region.sql").stdout
    found = sluice("plan", "alert_events", "--rebase")
    assert found.exit_code == 0, found.output
    assert f"dropped {CHAIN}/0002_add_zone.sql\n" in found.stdout
    assert "alert_events v1: 0003_add_zone.sql, phase expand\n" in found.stdout
    assert (forked / CHAIN / "0002_add_region.sql").read_text() == theirs
    assert sorted(path.name for path in (forked / CHAIN).iterdir()) == [
        "0001_create.sql",
        "0002_add_region.sql",
        "0003_add_zone.sql",
        "chain.lock",
        "table.json",
    ]
    assert sluice("check").exit_code == 0
    history = json.loads((forked / "datasets/alert_events/history.json").read_text())
    assert [set(entry["record"]["properties"]) & {"region", "zone"} for entry in history] == [
        set(),
        {"region"},
        {"region", "zone"},
    ]


@pytest.mark.parametrize("same", [True, False], ids=["the same SQL", "another SQL"])
def test_rebase_keeps_an_approval_of_the_same_sql(repository, same):
    """A branch that adds an index leaves the SQL of a rename as it is; one that adds a column changes the view."""
    git("switch", "-q", "-c", "ours")
    drop = lambda manifest: manifest["record"]["properties"].pop("value")  # noqa: E731
    edit_manifest(repository, drop)
    nobody_sent_it(repository)
    edit_manifest(repository, lambda manifest: manifest["table"]["columns"].pop("value", None))
    assert "--approve 0002.1" in sluice("plan").stdout
    sluice("plan", "alert_events", "--approve", "0002.1", "--because", "Nobody reads it.")
    commit("drop")
    git("switch", "-q", "main")
    if same:
        index = {"name": "by_sender", "columns": ["sender"]}
        edit_manifest(repository, lambda manifest: manifest["table"]["indexes"].append(index))
    else:
        column(repository, "region")
    sluice("plan")
    commit("theirs")
    git("switch", "-q", "ours")
    git("merge", "main", check=False)
    git("checkout", "--theirs", "datasets/alert_events/dataset.json", check=False)
    git("checkout", "main", "datasets/alert_events/dataset.json")
    edit_manifest(repository, drop)
    nobody_sent_it(repository)
    edit_manifest(repository, lambda manifest: manifest["table"]["columns"].pop("value", None))
    found = sluice("plan", "alert_events", "--rebase")
    assert found.exit_code == 0, found.output
    text = next((repository / CHAIN).glob("0003_*.sql")).read_text()
    assert ('because "Nobody reads it."' in text) is same
    assert ("to approve: " in found.stdout) is not same
    void = "the approval of 0002_drop_value.sql, step 1 (drop column "
    assert (void in found.stdout) is not same, found.stdout
    assert ("hazard-unapproved" in sluice("check").stderr) is not same


def test_rebase_onto_a_branch_that_is_not_there_changes_nothing(forked):
    before = contents(forked / "datasets")
    found = sluice("plan", "alert_events", "--rebase", "--onto", "elsewhere")
    assert (found.exit_code, "git knows no commit elsewhere. Fetch it" in found.stderr) == (1, True)
    assert contents(forked / "datasets") == before


def test_a_plan_that_is_refused_changes_nothing(forked):
    edit_manifest(forked, lambda manifest: manifest["record"]["properties"].pop("region"))
    edit_manifest(forked, lambda manifest: manifest["record"]["properties"].update(zone={"type": "integer"}))
    edit_manifest(forked, lambda manifest: manifest["table"].update(key=["dedupe_key"], indexes=[]))
    edit_manifest(forked, lambda manifest: manifest["record"]["required"].remove("org_id"))
    edit_manifest(forked, lambda manifest: manifest["record"]["properties"].pop("org_id"))
    before = contents(forked / "datasets")
    found = sluice("plan", "alert_events", "--rebase")
    assert (found.exit_code, "refused" in found.stdout) == (1, True), found.output
    assert contents(forked / "datasets") == before


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
def test_undo_brings_a_reverted_migration_back_and_plans_from_there(repository, named_database, committed):
    column(repository, "region")
    sluice("plan")
    commit("region")
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0
    applied = (repository / CHAIN / "0002_add_region.sql").read_bytes()
    git("revert", "--no-edit", "HEAD") if committed else git("revert", "--no-commit", "HEAD")
    ahead = sluice("migrate", "apply", "--prefix", "test")
    assert "the database is ahead of git" in ahead.stderr
    assert "`sluice plan alert_events --undo 0002` brings the file back" in ahead.stderr
    nobody_sent_it(repository)
    found = sluice("plan", "alert_events", "--undo", "0002")
    assert found.exit_code == 0, found.output
    assert f"restored {CHAIN}/0002_add_region.sql as " in found.stdout
    assert "alert_events v1: 0003_drop_region.sql, phase contract\n" in found.stdout
    assert "to approve: sluice plan alert_events --approve 0003.1" in found.stdout
    assert (repository / CHAIN / "0002_add_region.sql").read_bytes() == applied
    sluice("plan", "alert_events", "--approve", "0003.1", "--because", "It was reverted.")
    assert sluice("check").exit_code == 0
    last = sluice("migrate", "apply", "--prefix", "test")
    assert last.exit_code == 0, last.output
    assert sluice("migrate", "status").stdout == "alert_events v1: 3 applied, 0 pending\n"


def test_undo_finds_a_file_of_another_branch(repository):
    git("switch", "-q", "-c", "other")
    column(repository, "region")
    sluice("plan")
    commit("region")
    git("switch", "-q", "main")
    nobody_sent_it(repository)
    assert "0003_drop_region.sql" in sluice("plan", "alert_events", "--undo", "0002").stdout


def test_what_cannot_be_undone_is_told(repository):
    there = sluice("plan", "alert_events", "--undo", "0001")
    assert (there.exit_code, "there is nothing to bring back" in there.stderr) == (2, True)
    never = sluice("plan", "alert_events", "--undo", "0007")
    assert never.exit_code == 1
    assert "No commit here has migration 0007 of alert_events v1." in never.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--rebase"], ["alert_events", "--onto", "main"], ["alert_events", "--rebase", "--undo", "0002"]],
)
def test_how_it_is_called(repository, arguments):
    assert sluice("plan", *arguments).exit_code == 2
