"""`sluice check --stack`: the project's own program is run, and what it declares is judged."""

from __future__ import annotations

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
