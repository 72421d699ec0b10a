"""The AWS emulator for tests: one for the whole test process, and roles with just the rights that a test names."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dev.emulator.client import EmulatorSession, assume, session
from dev.emulator.launch import Emulator
from dev.emulator.state import EmulatorState
from dev.state import Paths


@dataclass(frozen=True)
class Role:
    """A role of the emulator: its ARN and unique id."""

    arn: str
    id: str


@pytest.fixture(scope="session")
def emulator_paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths(tmp_path_factory.mktemp("emulator") / ".sluice").ensure()


@pytest.fixture(scope="session")
def emulator(emulator_paths: Paths) -> Iterator[EmulatorState]:
    """The state of a running emulator, shared by the tests of this process: make names unique."""
    server = Emulator(emulator_paths)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def admin(emulator: EmulatorState) -> EmulatorSession:
    """A boto3 session that may do everything."""
    return session(emulator)


@pytest.fixture
def unique() -> str:
    """A name that no other test uses: lower-case letters and digits."""
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def make_role(emulator: EmulatorState, admin: EmulatorSession) -> Callable[..., Role]:
    """Make a role from policy statements; it trusts the account and, as a container's role, ECS."""
    iam = admin.client("iam")
    trusted = {"AWS": f"arn:aws:iam::{emulator.account_id}:root", "Service": "ecs-tasks.amazonaws.com"}

    def make(*statements: dict[str, Any], trust: dict[str, Any] | None = None) -> Role:
        name = f"role-{secrets.token_hex(6)}"
        document = policy({"Effect": "Allow", "Principal": trust or trusted, "Action": "sts:AssumeRole"})
        role = iam.create_role(RoleName=name, Path="/sluice/", AssumeRolePolicyDocument=document)["Role"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*statements))
        return Role(role["Arn"], role["RoleId"])

    return make


@pytest.fixture
def session_as(emulator: EmulatorState) -> Callable[[Role], EmulatorSession]:
    """A boto3 session as a role."""
    return lambda role: session(emulator, assume(emulator, role.arn, "test"))


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str], **more: Any) -> dict[str, Any]:
    """A statement that allows actions on resources."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
