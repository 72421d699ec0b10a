"""A record that changes: what `sluice check` and `sluice plan` say of it, and what is written."""

import json

import pytest
from click.testing import CliRunner

from compiler.cli.main import main
from compiler.migrate import evolution
from compiler.migrate.history import read_history

MANIFEST = {
    "name": "orders",
    "version": 1,
    "owner": "shop",
    "record": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "state"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "state": {"type": "string", "enum": ["new", "paid"]},
            "code": {"type": "string", "pattern": "^[a-f]+$"},
            "price": {"type": "number"},
            "buyer": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"name": {"type": "string"}, "phone": {"type": "string"}},
            },
        },
    },
    "table": {"key": ["id"], "columns": {"price": {"type": "numeric(8,2)"}}},
}
REASON = "No producer has ever sent one; the audit of June says so."


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a dataset that is planned; it lies in the current project."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "datasets" / "orders"
    place.mkdir(parents=True)
    write_manifest(place, MANIFEST)
    assert sluice("plan").exit_code == 0
    return place


def sluice(*arguments):
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def write_manifest(place, manifest):
    (place / "dataset.json").write_text(json.dumps(manifest, indent=2))


def change(place, **evolve):
    """The manifest, to be changed and written anew by the test."""
    manifest = json.loads((place / "dataset.json").read_text())
    return manifest, manifest["record"]["properties"], lambda: write_manifest(place, {**manifest, **evolve})


def widen_state(place, **evolve):
    _, properties, write = change(place, **evolve)
    properties["state"]["enum"].append("sent")
    write()


def narrow_state(place, **evolve):
    _, properties, write = change(place, **evolve)
    properties["state"]["enum"].remove("paid")
    write()


def drop_phone(place, **evolve):
    """Inside jsonb: the table stays as it is."""
    _, properties, write = change(place, **evolve)
    properties["buyer"]["properties"].pop("phone", None)
    write()


def contents(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def problems():
    return json.loads(sluice("check", "--format", "json").stdout)["problems"]


def rules():
    return {problem["rule"] for problem in problems()}


def planned(*options):
    (document,) = json.loads(sluice("plan", "--format", "json", *options).stdout)
    return document


def test_an_unchanged_record_is_not_compared(folder, monkeypatch):
    _, properties, write = change(folder)
    properties["state"]["title"] = "Words."
    write()
    monkeypatch.setattr(evolution, "compare", None)
    assert sluice("check").exit_code == 0
    assert planned()["records"] is None


def test_a_refused_record_is_told_where_the_manifest_says_it(folder):
    narrow_state(folder)
    (found,) = [problem for problem in problems() if problem["rule"] == "incompatible-record"]
    assert found["pointer"] == "$.record.properties.state"
    assert found["line"] == json.dumps(change(folder)[0], indent=2).split('"state": {')[0].count("\n") + 1
    assert '"paid" is not one of "new"' in found["message"]
    assert (
        'Such a record: {"id": "00000000-0000-4000-8000-000000000000", "state": "paid"}' in found["message"]
    )
    assert 'set "version" to 2' in found["fix"]
    assert "history-behind" not in rules()


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_a_refused_record_is_planned_nowhere(folder, form):
    narrow_state(folder)
    before = contents(folder)
    found = sluice("plan", "--format", form)
    assert found.exit_code == 1
    assert contents(folder) == before
    assert "00000000-0000-4000-8000-000000000000" in found.stdout
    assert "refused" in found.stdout


def test_a_refusal_stops_a_change_of_the_table_too(folder):
    _, properties, write = change(folder)
    properties["region"] = {"type": "string"}
    properties["buyer"]["required"] = ["name"]
    write()
    document = planned()
    assert (document["result"], document["files"], document["migrations"]) == ("refused", [], [])
    (sample,) = document["records"]["refused_now"]
    assert sample["why"] == 'buyer: The field "name" is missing.'
    assert sample["record"]["buyer"] == {}


def test_a_reason_does_not_stand_against_a_proof(folder):
    narrow_state(folder, evolve={"compatible": REASON})
    (found,) = [problem for problem in problems() if problem["rule"] == "incompatible-record"]
    assert found["fix"].endswith('The reason in "evolve.compatible" does not hold.')


def test_a_removed_property_needs_a_reason(folder):
    drop_phone(folder)
    (found,) = [problem for problem in problems() if problem["rule"] == "incompatible-record"]
    assert '"phone"' in found["message"]
    assert 'say in "evolve.compatible"' in found["fix"]
    before = contents(folder)
    assert sluice("plan").exit_code == 1
    assert contents(folder) == before


def test_a_reason_is_accepted_and_shown_to_the_reviewer(folder):
    drop_phone(folder, evolve={"compatible": REASON})
    assert rules() == {"history-behind"}
    review = sluice("plan", "--check", "--format", "markdown").stdout
    assert f'accepted because "{REASON}"' in review
    assert "buyer.phone: no longer declared" in review
    assert f'accepted because "{REASON}"' in sluice("plan", "--check").stdout
    records = planned("--check")["records"]
    assert (records["because"], records["because_needed"], records["refused"]) == (REASON, True, False)
    assert sluice("plan").exit_code == 0
    assert len(read_history(folder)) == 2
    assert rules() == set(), "the reason still answers for the first entry"
    for form in ("markdown", "text"):  # and no later plan says again what was reviewed with this one
        assert REASON not in sluice("plan", "--check", "--format", form).stdout


def test_what_cannot_be_proved_is_told_by_its_changes(folder):
    _, properties, write = change(folder)
    properties["code"]["pattern"] = "^[a-z]+$"
    write()
    (found,) = [problem for problem in problems() if problem["rule"] == "incompatible-record"]
    assert found["pointer"] == "$.record.properties.code"
    assert 'code: "pattern" was "^[a-f]+$" and is "^[a-z]+$"' in found["message"]
    assert found["message"].startswith("It cannot be proved")


@pytest.mark.parametrize("edit", [widen_state, lambda place, **evolve: change(place, **evolve)[2]()])
def test_a_reason_that_nothing_needs_is_a_warning(folder, edit):
    edit(folder, evolve={"compatible": REASON})
    (found,) = [problem for problem in problems() if problem["rule"] == "superfluous-reason"]
    assert (found["severity"], found["pointer"]) == ("warning", "$.evolve.compatible")
    assert "evolve.compatible is not needed" in sluice("plan", "--check").stdout


def test_what_is_admitted_now_is_shown(folder):
    widen_state(folder)
    review = sluice("plan", "--check", "--format", "markdown").stdout
    assert 'state: "enum" gained "sent"' in review
    assert '"state": "sent"}\n```' in review
    records = planned()["records"]
    assert (records["verdict"], records["widens"], records["refused_now"]) == ("yes", "yes", [])
    assert [sample["record"]["state"] for sample in records["admitted_now"]] == ["sent"]


def test_every_earlier_record_of_the_version_counts(folder):
    widen_state(folder)
    assert sluice("plan").exit_code == 0
    _, properties, write = change(folder)
    properties["state"]["enum"] = ["new", "sent"]
    write()
    assert "incompatible-record" in rules()


def test_a_record_of_another_version_does_not_count(folder):
    narrow_state(folder, version=2)
    assert "incompatible-record" not in rules()
    assert sluice("plan").exit_code == 0
    assert [entry.version for entry in read_history(folder)] == [1, 2]


def test_a_wider_column_is_an_entry_of_its_own_and_may_not_shrink_again(folder):
    manifest, _, write = change(folder)
    manifest["table"]["columns"]["price"]["type"] = "numeric(10,2)"
    write()
    assert sluice("plan").exit_code == 0
    first, second = read_history(folder)
    assert first.record_sha256 == second.record_sha256
    manifest, _, write = change(folder)
    manifest["table"]["columns"]["price"]["type"] = "numeric(8,2)"
    write()
    assert "incompatible-record" in rules()


def test_valid_examples_are_looked_at(folder):
    examples = folder / "examples" / "valid"
    examples.mkdir(parents=True)
    record = {"id": "11111111-1111-4111-8111-111111111111", "state": "new", "code": "a" * 7 + "f"}
    (examples / "one.json").write_text(json.dumps(record))
    _, properties, write = change(folder)
    properties["code"]["pattern"] = "^(?!aaaaaaaf)[a-f]+$"
    write()
    assert planned("--check")["records"]["refused_now"][0]["record"]["code"] == "aaaaaaaf"
