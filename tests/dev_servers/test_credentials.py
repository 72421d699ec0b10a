"""A process gets the credentials of its own role, as a container would, and nobody else's."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from dev.emulator import client, credentials
from dev.emulator.client import process_environment
from dev.emulator.credentials import Grant
from dev.emulator.state import EmulatorState
from dev.state import Paths
from tests.support.emulator import Role, allow


def get(url: str, token: str | None, method: str = "GET") -> tuple[int, dict[str, Any]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=30)
    try:
        headers = {} if token is None else {"Authorization": token}
        connection.request(method, f"{address.path}?{address.query}", headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ask(emulator: EmulatorState, grant: Grant, token: str | None) -> tuple[int, dict[str, Any]]:
    return get(f"{emulator.endpoint_url}{credentials.PATH}?{grant.query()}", token)


def test_the_answer_has_the_shape_that_ecs_gives(
    emulator: EmulatorState, make_role: Callable[..., Role]
) -> None:
    grant = Grant(make_role().arn, "task", seconds=900)
    status, document = ask(emulator, grant, grant.token(emulator.credentials_key))
    assert status == 200
    assert document.keys() == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "RoleArn"}
    assert document["RoleArn"] == grant.role_arn
    left = datetime.fromisoformat(document["Expiration"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 900


def test_a_token_proves_one_grant_only(emulator: EmulatorState, make_role: Callable[..., Role]) -> None:
    grant = Grant(make_role().arn, "task")
    good = grant.token(emulator.credentials_key)
    for other, token in (
        (grant, None),
        (grant, "wrong"),
        (grant, good[:-1]),
        (Grant(make_role().arn, "task"), good),
        (Grant(grant.role_arn, "other"), good),
        (Grant(grant.role_arn, "task", 900), good),
    ):
        assert ask(emulator, other, token)[0] == 403
    assert ask(emulator, grant, good)[0] == 200


def test_malformed_requests_are_refused(emulator: EmulatorState, make_role: Callable[..., Role]) -> None:
    url = f"{emulator.endpoint_url}{credentials.PATH}"
    for query in (
        "",
        "role=x",
        "role=x&session=yy&seconds=899",
        "role=x&session=yy&seconds=z",
        "role=x&session=y+y&seconds=900",
    ):
        assert get(f"{url}?{query}", "t")[0] == 400
    grant = Grant(make_role().arn, "task")
    assert get(f"{url}?{grant.query()}", grant.token(emulator.credentials_key), "POST")[0] == 400


def test_a_role_that_does_not_trust_tasks_is_not_given(
    emulator: EmulatorState, make_role: Callable[..., Role]
) -> None:
    stranger = make_role(trust={"AWS": f"arn:aws:iam::{emulator.account_id}:root"})
    for arn in (stranger.arn, stranger.arn + "missing"):
        grant = Grant(arn, "task")
        assert ask(emulator, grant, grant.token(emulator.credentials_key))[0] == 403


def test_nothing_unsigned_is_answered(emulator: EmulatorState) -> None:
    for path in ("/", "/some-bucket/key", "/moto-api/data.json", "/moto-api/reset-auth", "/123456789012/q"):
        for method in ("GET", "POST"):
            assert get(emulator.endpoint_url + path, None, method)[0] == 403
    assert get(f"{emulator.endpoint_url}/moto-api/reset-auth", "AWS4-HMAC-SHA256 x", "POST")[0] == 403


CHILD = """
import json, boto3
session = boto3.Session()
identity = session.client("sts").get_caller_identity()
resolved = session.get_credentials()
before = resolved.access_key
resolved._refresh()
print(json.dumps([identity["Arn"], resolved.method, before != resolved.access_key]))
"""


@pytest.mark.parametrize("seconds", [900, 3600])
def test_a_process_finds_and_refreshes_its_credentials_through_its_environment(
    emulator: EmulatorState, emulator_paths: Paths, make_role: Callable[..., Role], seconds: int
) -> None:
    role = make_role(allow("sts:GetCallerIdentity", "*"))
    environment = process_environment(emulator_paths, emulator, Grant(role.arn, "sink", seconds))
    answer = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    arn, method, refreshed = json.loads(answer.stdout)
    name = role.arn.rpartition("/")[2]
    assert arn == f"arn:aws:sts::{emulator.account_id}:assumed-role/{name}/sink"
    assert method == "container-role"
    assert refreshed is (seconds == 900)  # botocore refreshes within a quarter of an hour of the end


def test_tokens_and_state_are_readable_by_their_owner_alone(
    emulator: EmulatorState, emulator_paths: Paths, make_role: Callable[..., Role]
) -> None:
    environment = process_environment(emulator_paths, emulator, Grant(make_role().arn, "sink"))
    assert emulator.credentials_key not in str(environment)
    for path in [
        *emulator_paths.tokens.iterdir(),
        *emulator_paths.logs.iterdir(),
        emulator_paths.emulator_state,
    ]:
        assert path.stat().st_mode & 0o777 == 0o600, path
    for folder in (emulator_paths.root, emulator_paths.tokens, emulator_paths.logs):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_secrets_do_not_show_in_a_repr(emulator: EmulatorState) -> None:
    assert emulator.admin.secret_access_key not in repr(emulator)
    assert emulator.credentials_key not in repr(emulator)


def test_a_session_reads_none_of_the_users_settings(
    emulator: EmulatorState, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "us-east-1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    assert client.session(emulator).client("sts").get_caller_identity()["Account"] == emulator.account_id
