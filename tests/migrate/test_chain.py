"""The chain's files: whole, or each deviation told with its file and its fix."""

import json
from dataclasses import replace
from uuid import UUID

import pytest

from compiler.canonical import JsonDocument, sha256, sha256_bytes
from compiler.dataset import Check, Length
from compiler.migrate import files, table_json
from compiler.migrate.chain import ChainError, chain_findings, read_chain, read_history
from compiler.migrate.planner import Change
from compiler.migrate.propose import propose, write
from compiler.problems import Severity
from compiler.table import table_of
from tests.support.datasets import RECORD, alert_events, monitoring_events


@pytest.fixture
def folder(tmp_path):
    write(propose(alert_events(), tmp_path))
    return tmp_path


def place(folder, name=""):
    return folder / "migrations" / "v1" / name


def rules(dataset, folder):
    return [finding.rule for finding in chain_findings(dataset, folder)]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(path, old, new):
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode()))


def changed_record(**changes):
    record = {**RECORD, **changes}
    return alert_events(record=JsonDocument.of(record), record_sha256=sha256(record))


def test_planning_writes_a_chain_without_findings(folder):
    assert sorted(map(str, contents(folder))) == [
        "history.json",
        "migrations/v1/0001_create.sql",
        "migrations/v1/chain.lock",
        "migrations/v1/table.json",
    ]
    assert list(chain_findings(alert_events(), folder)) == []
    chain = read_chain(folder, "alert_events", 1)
    assert chain is not None
    assert chain.table == table_of(alert_events())
    assert chain.end == chain.table.fingerprint
    line = place(folder, "chain.lock").read_text()
    assert line == f"0001_create.sql {sha256_bytes(place(folder, '0001_create.sql').read_bytes())}\n"


def test_planning_again_writes_nothing(folder):
    before = contents(folder)
    proposal = propose(alert_events(), folder)
    assert proposal.files == ()
    write(proposal)
    assert contents(folder) == before


def test_no_chain_yet_is_a_warning(tmp_path):
    (finding,) = chain_findings(alert_events(), tmp_path)
    assert finding.rule == "chain-missing"
    assert finding.severity is Severity.WARNING
    assert finding.fix == "Run `sluice plan alert_events`."
    assert read_chain(tmp_path, "alert_events", 1) is None


def test_a_new_version_has_no_chain_yet(folder):
    assert rules(alert_events(version=2), folder) == ["chain-missing"]


def test_a_version_never_goes_back(folder):
    (folder / "migrations" / "v3").mkdir()
    (finding,) = chain_findings(alert_events(), folder)
    assert (finding.rule, finding.pointer) == ("version-backwards", ("version",))
    assert "Version 3 of alert_events has migrations already; 1 is behind it." in finding.message


def test_a_uuid_never_changes(folder):
    other = replace(alert_events(), uuid=UUID("00000000-0000-4000-8000-000000000000"))
    (finding,) = chain_findings(other, folder)
    assert (finding.rule, finding.pointer) == ("uuid-changed", ("uuid",))
    assert finding.fix.startswith(f'Set "uuid" to "{alert_events().uuid}".')


@pytest.mark.parametrize("name", ["0002_odd.sql", "history.json", "chain.lock", "table.json"])
def test_a_folder_where_a_file_should_be_is_told(folder, name):
    path = folder / name if name == "history.json" else place(folder, name)
    path.unlink(missing_ok=True)
    path.mkdir()
    found = list(chain_findings(alert_events(), folder))
    assert any(one.file == str(path) and "cannot be read" in one.message for one in found), found


def test_a_file_where_the_migrations_should_be_is_told(tmp_path):
    (tmp_path / "migrations").write_text("")
    (finding,) = chain_findings(alert_events(), tmp_path)
    assert (finding.rule, finding.message) == ("unreadable-file", "It cannot be read: Not a directory.")


def test_a_manifest_ahead_of_its_chain_is_told_by_object(folder):
    dataset = alert_events(checks=(Check("sender", Length(1, None)),))
    (finding,) = chain_findings(dataset, folder)
    assert finding.rule == "chain-behind"
    assert "check ck_severity_85823d607cfc removed" in finding.message
    assert finding.file == str(place(folder, "table.json"))
    assert isinstance(propose(dataset, folder).plan, Change)
    assert [file.path.name for file in propose(dataset, folder).files] == [
        "0002_change.sql",
        "0003_tighten.sql",
        "table.json",
        "chain.lock",
    ]


def test_what_sql_cannot_show_is_told_of_the_manifest(tmp_path):
    columns = (replace(alert_events().columns[0], name="a\tb"), *alert_events().columns[1:])
    finding = next(iter(chain_findings(alert_events(columns=columns), tmp_path)))
    assert (finding.rule, finding.file) == ("table-text", None)


def rewrite(folder, **changes):
    """The first file with another header, its own hashes right, and the lock brought along."""
    path = place(folder, "0001_create.sql")
    path.write_text(files.write(replace(files.read(path.read_text()), **changes)))
    place(folder, "chain.lock").write_text(f"0001_create.sql {sha256_bytes(path.read_bytes())}\n")


SQL, TABLE, LOCK = "0001_create.sql", "table.json", "chain.lock"


@pytest.mark.parametrize(
    ("break_it", "rule", "file", "says"),
    [
        (lambda f: edit(place(f, SQL), "char_length", "length"), "chain-edited", SQL, "The SQL was edited"),
        (lambda f: edit(place(f, SQL), "\n", "\r\n"), "chain-file", SQL, "CR LF"),
        (lambda f: edit(place(f, SQL), "phase expand", "phase x"), "chain-file", SQL, "line 1: expected"),
        (lambda f: place(f, SQL).write_bytes(b"\xff\n"), "chain-file", SQL, "Not a migration file"),
        (
            lambda f: edit(place(f, SQL), '1: create table "', '1: make table "'),
            "chain-lock",
            LOCK,
            "edited, added",
        ),
        (
            lambda f: place(f, SQL).rename(place(f, "create.sql")),
            "chain-file",
            "create.sql",
            "NNNN_<what>.sql",
        ),
        (
            lambda f: place(f, SQL).rename(place(f, "0002_create.sql")),
            "chain-file",
            "0002_create.sql",
            "0001",
        ),
        (lambda f: rewrite(f, number=2), "chain-file", SQL, "The header says migration 0002"),
        (lambda f: rewrite(f, dataset="other"), "chain-dataset", SQL, "The file is for other v1"),
        (lambda f: rewrite(f, version=2), "chain-dataset", SQL, "The file is for alert_events v2"),
        (
            lambda f: rewrite(f, previous="sha256:" + "0" * 64),
            "chain-order",
            SQL,
            "the one before it has none",
        ),
        (lambda f: rewrite(f, before="sha256:" + "0" * 64), "chain-order", SQL, "It starts from sha256:000"),
        (lambda f: place(f, SQL).unlink(), "chain-order", LOCK, "no migration file"),
        (lambda f: place(f, TABLE).unlink(), "chain-table", TABLE, "missing"),
        (lambda f: edit(place(f, TABLE), "  ", " "), "chain-table", TABLE, "edited or damaged"),
        (
            lambda f: edit(place(f, TABLE), '"Stable per alert"', '"x"'),
            "chain-table",
            TABLE,
            "Its fingerprint is",
        ),
        (lambda f: place(f, LOCK).unlink(), "chain-lock", LOCK, "missing"),
        (
            lambda f: place(f, LOCK).write_text("x\n"),
            "chain-lock",
            LOCK,
            "It does not say `0001_create.sql sha256:",
        ),
    ],
)
def test_a_broken_chain_is_told_with_its_file_and_fix(folder, break_it, rule, file, says):
    break_it(folder)
    findings = list(chain_findings(alert_events(), folder))
    (found,) = findings  # one cause is one problem
    assert (found.rule, found.file) == (rule, str(place(folder, file)))
    assert says in found.message
    assert all(one.severity is Severity.ERROR and one.fix for one in findings)
    with pytest.raises(ChainError):
        propose(alert_events(), folder)


def test_a_second_file_must_follow_the_first(folder):
    first = files.read(place(folder, SQL).read_text())
    second = replace(first, number=2, before=first.after, previous="sha256:" + "1" * 64)
    place(folder, "0002_more.sql").write_text(files.write(second))
    assert "chain-order" in rules(alert_events(), folder)


def test_two_files_that_follow_are_a_chain(folder):
    path = place(folder, SQL)
    first = files.read(path.read_text())
    second = replace(first, number=2, before=first.after, previous=sha256_bytes(path.read_bytes()))
    new = place(folder, "0002_more.sql")
    new.write_text(files.write(second))
    place(folder, LOCK).write_text(f"0002_more.sql {sha256_bytes(new.read_bytes())}\n")
    chain = read_chain(folder, "alert_events", 1)
    assert chain is not None
    assert [member.name for member in chain.files] == [SQL, "0002_more.sql"]


@pytest.mark.parametrize(
    ("break_it", "rule", "file"),
    [
        (lambda f: edit(place(f, SQL), "char_length", "length"), "chain-edited", SQL),
        (lambda f: edit(place(f, SQL), '1: create table "', '1: make table "'), "chain-order", "0002_x.sql"),
        (lambda f: place(f, "0002_x.sql").unlink(), "chain-order", "0003_x.sql"),
    ],
)
def test_one_damaged_file_of_many_is_one_problem(folder, break_it, rule, file):
    path = place(folder, SQL)
    last = files.read(path.read_text())
    for number in range(2, 6):
        previous = sha256_bytes(path.read_bytes())
        last = replace(last, number=number, before=last.after, previous=previous)
        path = place(folder, f"{number:04d}_x.sql")
        path.write_text(files.write(last))
    place(folder, LOCK).write_text(f"{path.name} {sha256_bytes(path.read_bytes())}\n")
    assert list(chain_findings(alert_events(), folder)) == []
    break_it(folder)
    (found,) = chain_findings(alert_events(), folder)
    assert (found.rule, found.file) == (rule, str(place(folder, file)))


def test_a_gap_is_told(folder):
    place(folder, SQL).rename(place(folder, "0003_create.sql"))
    text = place(folder, "0003_create.sql").read_text().replace("migration 0001", "migration 0003")
    place(folder, "0003_create.sql").write_text(text)
    assert any("Expected migration 0001 here" in f.message for f in chain_findings(alert_events(), folder))


def test_a_file_of_another_dataset_is_told(folder):
    assert "chain-dataset" in rules(monitoring_events(), folder)


# --- history --------------------------------------------------------------------------------------------------------


def test_the_history_begins_with_the_present_schema(folder):
    (entry,) = read_history(folder)
    assert entry.version == 1
    assert entry.record_sha256 == alert_events().record_sha256
    assert entry.record.value == RECORD
    assert entry.effective == alert_events().effective


def test_a_changed_record_schema_appends_and_leaves_the_chain(folder):
    dataset = changed_record(minProperties=1)
    (finding,) = chain_findings(dataset, folder)
    assert (finding.rule, finding.file) == ("history-behind", str(folder / "history.json"))
    before = contents(folder / "migrations")
    write(propose(dataset, folder))
    assert [entry.record_sha256 for entry in read_history(folder)] == [
        alert_events().record_sha256,
        dataset.record_sha256,
    ]
    assert list(chain_findings(dataset, folder)) == []
    assert propose(dataset, folder).files == ()
    assert contents(folder / "migrations") == before


def test_a_new_version_appends_an_entry_of_its_own(folder):
    write(propose(alert_events(version=2), folder))
    assert [entry.version for entry in read_history(folder)] == [1, 2]


def test_annotations_are_no_new_schema(folder):
    record = {**RECORD, "description": "Words."}
    dataset = alert_events(record=JsonDocument.of(record))
    assert propose(dataset, folder).files == ()


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lambda path: path.unlink(), "history-edited"),
        (lambda path: path.write_text("[]\n"), "history-edited"),
        (lambda path: path.write_text("{"), "history-edited"),
        (lambda path: path.write_bytes(b"\xff"), "history-edited"),
        (lambda path: path.write_text(path.read_text().replace("  ", " ")), "history-edited"),
        (lambda path: edit(path, '"maxLength": 200,\n', '"maxLength": 300,\n'), "history-edited"),
        (lambda path: path.write_text(json.dumps([{"version": 1}], indent=2) + "\n"), "history-edited"),
    ],
)
def test_a_history_that_is_missing_or_edited_is_told(folder, break_it, rule):
    break_it(folder / "history.json")
    (finding,) = chain_findings(alert_events(), folder)
    assert (finding.rule, finding.file) == (rule, str(folder / "history.json"))
    assert finding.fix


def test_the_written_table_is_the_manifests(folder):
    assert table_json.loads(place(folder, TABLE).read_text()) == table_of(alert_events())
