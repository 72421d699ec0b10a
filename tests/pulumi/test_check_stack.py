"""`sluice check --stack`: the project's own program is run, and what it declares is judged."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from compiler.cli.main import main

WIDE = """
import pulumi_aws as aws
aws.iam.RolePolicy("wide", role="embedded_alert_events_sink_euc1", policy=iam_text)
"""


def check(*arguments: str):
    return CliRunner().invoke(main, ["check", *arguments])


def test_a_right_that_the_program_adds_by_hand_is_refused(project):
    program = project.folder / "__main__.py"
    document = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}'
    )
    program.write_text(program.read_text() + WIDE.replace("iam_text", repr(document)))
    found = check("--stack", "embedded")
    assert found.exit_code == 1
    for rule in ("policy-wildcard", "wider-than-manifest"):
        assert f"[{rule}]" in found.stderr
    assert "RolePolicy wide" in found.stderr


def test_a_program_that_fails_and_a_stack_that_is_not_there_are_told(project):
    program = project.folder / "__main__.py"
    program.write_text(program.read_text() + "\nraise ValueError('broken here')\n")
    found = check("--stack", "embedded")
    assert (found.exit_code, "ValueError: broken here" in found.stderr) == (1, True)
    missing = check("--stack", "prod")
    assert (missing.exit_code, "Write Pulumi.prod.yaml" in missing.stderr) == (1, True)


def test_a_sealed_dataset_passes_on_a_protected_stack(project):
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace("sluice:protect: false", "sluice:protect: true"))
    assert check("--stack", "embedded").exit_code == 0
    tombstone = {"who": "me", "why": "Nobody reads it.", "date": "2026-03-14", "data": "drop"}
    (project.folder / "datasets/alert_events/TOMBSTONE.json").write_text(json.dumps(tombstone))
    found = check("--stack", "embedded")
    assert (found.exit_code, found.stderr) == (0, "")


def test_each_thing_that_the_program_refuses_is_a_problem_of_its_own(project):
    path = project.folder / "Pulumi.embedded.yaml"
    path.write_text(path.read_text().replace('"*": { aws:', "nobody: { aws:").replace("{name}", "name"))
    found = json.loads(check("--stack", "embedded", "--format", "json").stdout)
    unbound = [one for one in found["problems"] if one["rule"] == "stack-unbound"]
    assert found["errors"] == len(unbound) > 1
    assert {one["file"] for one in unbound} == {"Pulumi.embedded.yaml"}
    assert all(one["fix"] for one in unbound)
    assert not [one for one in found["problems"] if str(project.folder) in json.dumps(one)]


@pytest.mark.parametrize("name", ["", "../other/Pulumi.prod", "a/b"])
def test_what_is_no_stack_s_name_is_refused(project, name):
    found = check("--stack", name)
    assert found.exit_code == 2
    assert "no stack's name" in found.stderr
