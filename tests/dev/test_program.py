"""Small Pulumi programs run by `python -m dev.program` against a real emulator and Postgres."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.emulator.client import session
from dev.emulator.launch import Emulator
from dev.postgres import PostgresServer
from dev.state import Paths, read_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """An environment whose servers run, and nothing else."""
    paths = Paths(tmp_path_factory.mktemp("home") / ".sluice").ensure()
    emulator, postgres = Emulator(paths), PostgresServer(paths)
    try:
        emulator.start()
        postgres.start()
        yield paths
    finally:
        emulator.stop()
        postgres.remove()


@dataclass(frozen=True)
class Outcome:
    """What a run said: its resources as (type's last word, name, action), and its exports or its failure."""

    code: int
    resources: list[tuple[str, str, str]]
    exports: dict[str, Any] | None
    failure: str | None
    stderr: str


class Project:
    """A Pulumi program in a folder of its own."""

    def __init__(self, folder: Path, home: Paths) -> None:
        self.folder, self.home = folder, home
        home.resources.unlink(missing_ok=True)
        (folder / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")

    def run(self, program: str) -> Outcome:
        head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport pulumi, pulumi_aws as aws\n"
        (self.folder / "__main__.py").write_text(head + textwrap.dedent(program))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "dev.program",
                "--project",
                str(self.folder),
                "--home",
                str(self.home.root),
            ],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found = [line["resource"] for line in lines if "resource" in line]
        resources = [(one["type"].rpartition(":")[2], one["name"], one["action"]) for one in found]
        last = lines[-1]
        return Outcome(done.returncode, resources, last.get("exports"), last.get("failure"), done.stderr)


@pytest.fixture
def project(tmp_path: Path, home: Paths) -> Project:
    return Project(tmp_path, home)


def test_resources_are_real_and_exports_resolved(project: Project) -> None:
    outcome = project.run(
        """
        queue = aws.sqs.Queue("q", name="real", max_message_size=1040384)
        pulumi.export("urls", {"q": queue.url, "arn": queue.arn.apply(str.upper)})
        print("said on stdout")
        """
    )
    assert outcome.code == 0, outcome.stderr
    assert outcome.resources == [("Queue", "q", "created")]
    assert outcome.exports is not None
    assert outcome.exports["urls"]["arn"] == "ARN:AWS:SQS:EU-CENTRAL-1:123456789012:REAL"
    assert "said on stdout" in outcome.stderr
    state = Emulator(project.home).status()
    assert state is not None
    assert (
        session(state).client("sqs").get_queue_url(QueueName="real")["QueueUrl"]
        == outcome.exports["urls"]["q"]
    )


def test_depends_on_and_outputs_order_the_creation(project: Project) -> None:
    outcome = project.run(
        """
        class Group(pulumi.ComponentResource):
            def __init__(self, name, opts=None):
                super().__init__("test:index:Group", name, None, opts)
                self.inner = aws.sqs.Queue("inner", name="inner", opts=pulumi.ResourceOptions(parent=self))
                self.deep = aws.sns.Topic("deep", name="deep",
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[self.inner]))

        group = Group("group")
        last = aws.sqs.Queue("last", name="last", opts=pulumi.ResourceOptions(depends_on=[group]))
        aws.sqs.QueuePolicy("policy", queue_url=last.url, policy=group.deep.arn.apply(
            lambda arn: pulumi.Output.json_dumps({"Statement": [], "Id": arn})))
        """
    )
    assert outcome.code == 0, outcome.stderr
    assert [name for _, name, _ in outcome.resources] == ["inner", "deep", "last", "policy"]


def test_what_is_no_longer_declared_goes_and_queues_stay(project: Project) -> None:
    project.run(
        'q = aws.sqs.Queue("q", name="stays")\n'
        'aws.sns.Topic("t", name="goes", opts=pulumi.ResourceOptions(depends_on=[q]))'
    )
    outcome = project.run("")
    assert outcome.resources == [("Topic", "t", "deleted"), ("Queue", "q", "retained")]


def test_retain_on_delete_is_honoured(project: Project) -> None:
    project.run('aws.sns.Topic("t", name="kept", opts=pulumi.ResourceOptions(retain_on_delete=True))')
    assert project.run("").resources == [("Topic", "t", "retained")]


def test_a_type_without_a_handler_stops_the_run_by_name(project: Project) -> None:
    outcome = project.run(
        """
        first = aws.sqs.Queue("q", name="before")
        odd = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(depends_on=[first]))
        aws.sns.Topic("t", name="after", opts=pulumi.ResourceOptions(depends_on=[odd]))
        """
    )
    assert outcome.code == 1
    assert [name for _, name, _ in outcome.resources] == ["q"]
    assert outcome.failure is not None
    assert "no handler for the resource type aws:ec2/vpc:Vpc" in outcome.failure
    assert "'net'" in outcome.failure


def test_an_unhandled_property_stops_the_run_by_name(project: Project) -> None:
    outcome = project.run('aws.sqs.Queue("q", name="odd", content_based_deduplication=True)')
    assert outcome.failure is not None
    assert "aws:sqs/queue:Queue 'q'" in outcome.failure
    assert "contentBasedDeduplication" in outcome.failure


def test_a_refusal_of_the_service_names_the_resource(project: Project) -> None:
    outcome = project.run('aws.sqs.Queue("q", name="odd", visibility_timeout_seconds=99999)')
    assert outcome.code == 1
    assert outcome.failure is not None
    assert outcome.failure.startswith("aws:sqs/queue:Queue 'q': ")
    assert "VisibilityTimeout" in outcome.failure


def test_an_error_of_the_program_is_told(project: Project) -> None:
    outcome = project.run('aws.sqs.Queue("q", name="made")\nraise pulumi.RunError("three problems")')
    assert (outcome.code, outcome.failure) == (1, "three problems")


def test_a_failed_run_deletes_nothing(project: Project) -> None:
    project.run('aws.sns.Topic("t", name="there")')
    outcome = project.run('raise ValueError("early")')
    assert (outcome.resources, outcome.failure) == ([], "ValueError: early")
    assert project.run('aws.sns.Topic("t", name="there")').resources == [("Topic", "t", "unchanged")]


def test_a_secret_is_refused_and_written_nowhere(project: Project) -> None:
    outcome = project.run('aws.sns.Topic("t", name="t", display_name=pulumi.Output.secret("hunter2"))')
    assert outcome.failure is not None
    assert "displayName holds a secret" in outcome.failure
    assert "hunter2" not in json.dumps(read_json(project.home.resources))


def test_provider_functions_and_lookups_are_refused(project: Project) -> None:
    assert "aws:index/getCallerIdentity" in str(project.run("aws.get_caller_identity()").failure)
    assert "cannot look up" in str(project.run('aws.sqs.Queue.get("q", "http://x/q")').failure)


DYNAMIC = """
from pulumi.dynamic import Resource
from tests.dev.providers import Noting
from pulumi.runtime.config import set_config
class Noted(Resource, module="test", name="Noted"):
    updates: pulumi.Output[int]
    checked: pulumi.Output[str]
noted = Noted(Noting(), "n", {{"word": "{word}", "updates": None, "checked": None}})
pulumi.export("n", {{"id": noted.id, "updates": noted.updates, "checked": noted.checked}})
"""


def test_dynamic_providers_are_called_as_pulumi_does(project: Project) -> None:
    first = project.run(DYNAMIC.format(word="a"))
    assert first.code == 0, first.stderr
    assert first.exports == {"n": {"id": "noted", "updates": 0, "checked": "eu-central-1"}}
    assert project.run(DYNAMIC.format(word="a")).resources == [("Noted", "n", "unchanged")]
    changed = project.run(DYNAMIC.format(word="b"))
    assert changed.resources == [("Noted", "n", "updated")]
    assert changed.exports == {"n": {"id": "noted", "updates": 1, "checked": "eu-central-1"}}
    assert "`word`: is rude" in str(project.run(DYNAMIC.format(word="rude")).failure)


def test_no_administrator_secret_stands_in_the_ledger(project: Project) -> None:
    project.run(DYNAMIC.format(word="a"))
    text = project.home.resources.read_text()
    state, address = Emulator(project.home).status(), PostgresServer(project.home).status().address
    assert state is not None
    assert address is not None
    assert state.admin.secret_access_key not in text
    assert address.password not in text
    assert project.home.resources.stat().st_mode & 0o777 == 0o600
