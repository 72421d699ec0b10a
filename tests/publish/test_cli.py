"""`sluice publish` as it is typed: what it says of records that are wrong, and of a run that ends before its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from compiler.cli import publish
from compiler.cli.main import main
from tests.house.test_tree import ROOT

URL = "http://127.0.0.1:1/000000000000/buffer"
GOOD = json.loads((ROOT / "datasets/alert_events/examples/valid/minimal.json").read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "datasets/alert_events", tmp_path / "datasets/alert_events")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Queue:
    """An SQS that takes every message; the call of the number `interrupted` meets a Ctrl-C instead of an answer."""

    def __init__(self, interrupted: int = 0) -> None:
        self.interrupted, self.calls = interrupted, 0
        self.bodies: list[dict] = []

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803  # boto3's own names
        self.calls += 1
        if self.calls == self.interrupted:
            raise KeyboardInterrupt
        self.bodies += [json.loads(entry["MessageBody"]) for entry in Entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}


def edit(project: Path, **fields: object) -> None:
    file = project / "datasets/alert_events/dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def records(count: int) -> str:
    return "".join(json.dumps({**GOOD, "dedupe_key": f"k{number}"}) + "\n" for number in range(count))


def sluice(monkeypatch, lines: str, *options: str, queue: Queue | None = None) -> Result:
    monkeypatch.setattr(publish, "sqs_client", lambda _: queue or Queue())
    Path("f.jsonl").write_text(lines)
    return CliRunner().invoke(main, ["publish", "alert_events", "f.jsonl", "--queue-url", URL, *options])


def test_every_bad_record_is_told_with_its_place_its_rule_and_a_fix(project, monkeypatch):
    bad = [
        "{'org_id': 1}",
        json.dumps(GOOD).replace(GOOD["severity"], "critcal"),
        json.dumps(GOOD)[:-1],
        json.dumps({name: value for name, value in GOOD.items() if name != "dedupe_key"}),
    ]
    queue = Queue()
    found = sluice(monkeypatch, records(1) + "\n".join(bad), queue=queue)
    assert found.exit_code == 1
    assert not queue.bodies
    *told, summary = found.stderr.splitlines()
    column = json.dumps(GOOD).index(GOOD["severity"])
    assert (
        told[0]
        == "f.jsonl:2:2: Expected a key in double quotes, found 'org_id'. Use double quotes. [invalid-json]"
    )
    assert told[1].startswith(f'f.jsonl:3:{column} $.severity: "critcal" is not one of')
    assert told[1].endswith('Did you mean "critical"? [wrong-value]')
    assert "found the end of the line" in told[2]
    assert told[3] == 'f.jsonl:5:1 $: The field "dedupe_key" is missing. Add "dedupe_key". [missing-field]'
    assert len(told) == 4
    assert "4 of 5 records are not valid, so nothing was sent" in summary


def test_bad_lines_are_skipped_where_that_was_asked_for(project, monkeypatch):
    queue = Queue()
    found = sluice(monkeypatch, "x\n" + records(2), "--skip-invalid", queue=queue)
    assert found.exit_code == 1
    assert [len(body["records"]) for body in queue.bodies] == [2]
    assert "2 records in 1 message" in found.stdout
    assert "1 skipped as not valid" in found.stdout


def test_an_array_that_cannot_be_read_to_its_end_is_sent_not_even_in_part(project, monkeypatch):
    queue = Queue()
    array = f"[{json.dumps(GOOD)},\n{json.dumps({**GOOD, 'severity': 'x'})},\n{{]"
    found = sluice(monkeypatch, array, "--skip-invalid", queue=queue)
    assert found.exit_code == 1
    assert not queue.bodies
    assert "f.jsonl:2:" in found.stderr
    assert (
        "f.jsonl:3:2: Expected a key in double quotes, found ]. [invalid-json] Nothing was sent."
        in found.stderr
    )


def test_reasons_end_at_a_limit_and_the_count_does_not(project, monkeypatch):
    monkeypatch.setattr("compiler.publish.validation.MOST_EXPLAINED", 3)
    found = sluice(monkeypatch, "x\n" * 9, "--format", "json")
    assert found.exit_code == 1
    document = json.loads(found.stdout)
    assert (document["records"], document["skipped"], len(document["refusals"])) == (9, 9, 3)
    assert document["refusals"][0]["rule"] == "invalid-json"


def test_ctrl_c_says_what_was_taken_and_what_to_do(project, monkeypatch):
    edit(project, sink={"batch_records": 1})
    queue = Queue(interrupted=3)
    found = sluice(monkeypatch, records(35), queue=queue)
    assert found.exit_code == 130
    assert found.stderr == (
        "sluice: interrupted. 20 of 35 records, in 20 messages, are in the buffer; of a call without an answer, up to 10 "
        "more may be. Publish the same file again, with the same options: what was taken before changes nothing then.\n"
    )
    again = Queue()
    assert sluice(monkeypatch, records(35), queue=again).exit_code == 0
    first, second = ([UUID(body["id"]) for body in one.bodies] for one in (queue, again))
    assert second[:20] == first


def test_ctrl_c_does_not_call_a_repetition_safe_that_is_not(project, monkeypatch):
    manifest = json.loads((project / "datasets/alert_events/dataset.json").read_text())
    table = {**manifest["table"], "key": "$message"}
    shutil.rmtree(project / "datasets/alert_events/migrations")
    (project / "datasets/alert_events/history.json").unlink()
    edit(project, table=table, buffer={"format": "record"})
    found = sluice(monkeypatch, records(25), queue=Queue(interrupted=2))
    assert found.exit_code == 130
    assert "10 of 25 records" in found.stderr
    assert "Do not publish the whole file again" in found.stderr


def test_ctrl_c_before_the_first_message_says_that_nothing_was_sent(project, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publish, "pack", interrupted)
    found = sluice(monkeypatch, records(1))
    assert (found.exit_code, found.stderr) == (130, "sluice: interrupted. Nothing was sent.\n")
