"""`sluice iam diff`: who gains and loses what against a commit, by both commits' own programs."""

from __future__ import annotations

import json
import subprocess

from click.testing import CliRunner

from compiler.cli.iam_diff import changes, rights_of
from compiler.cli.main import main
from compiler.emit.rights import Right

BUFFER = "arn:aws:sqs:eu-central-1:123456789012:embedded_alert_events_buffer"


def git(folder, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def diff(*arguments: str):
    return CliRunner().invoke(main, ["iam", "diff", *arguments])


def test_a_new_producer_and_one_that_is_gone(project):
    git(project.folder, "init", "-q", "-b", "main")
    git(project.folder, "add", "-A")
    git(project.folder, "commit", "-qm", "base")
    project.manifest("alert_events", lambda manifest: manifest.update(producers=["nightly"], readers=[]))
    found = diff("HEAD", "--stack", "embedded", "--format", "json")
    assert found.exit_code == 0, found.stderr
    by_principal = {one["principal"]: one for one in json.loads(found.stdout)["principals"]}
    assert by_principal["role nightly"]["gains"] == [
        {"action": "sqs:SendMessage", "resource": BUFFER, "condition": ""}
    ]
    [lost] = [one for one in by_principal["role monitor"]["losses"] if one["resource"] == BUFFER]
    assert lost["action"] == "sqs:SendMessage"
    assert {
        "action": "member",
        "resource": "role embedded_alert_events_r",
        "condition": "",
    } in by_principal["postgres analytics"]["losses"]

    git(project.folder, "commit", "-qam", "changed")
    assert diff("HEAD", "--stack", "embedded").stdout.startswith("Nobody gains or loses a right")
    unknown = diff("nonsense", "--stack", "embedded")
    assert (unknown.exit_code, "git knows no commit nonsense" in unknown.stderr) == (1, True)


def test_the_end_of_a_secrets_arn_is_not_made_up(graph):
    [read] = {one.resource for one in rights_of(graph) if "alert_events_sink_login" in one.resource}
    assert read.endswith(":secret:embedded_alert_events_sink_login-??????")


def test_changes_are_told_by_principal():
    kept, old, new = Right("a", "x", "r"), Right("b", "x", "r"), Right("a", "y", "r")
    [first, second] = changes([kept, old], [kept, new])
    assert (first.principal, first.gains, first.losses) == ("a", (new,), ())
    assert (second.principal, second.gains, second.losses) == ("b", (), (old,))
