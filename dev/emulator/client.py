"""Use a running emulator: boto3 sessions for its administrator or a role, and credentials for a process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

from dev.emulator import credentials as grants
from dev.emulator.credentials import DEFAULT_SECONDS, Grant
from dev.emulator.state import Credentials, EmulatorState
from dev.state import Paths, write_private

# Descriptions of services and endpoints are megabytes of JSON, which every session would read for itself.
LOADER = create_loader()
# No proxy between us and loopback, whatever the environment says.
DIRECT = Config(proxies={}, retries={"mode": "standard", "max_attempts": 3})


class EmulatorSession(boto3.Session):
    """A boto3 session whose clients all speak to one emulator, and which reads none of the user's AWS settings."""

    def __init__(self, state: EmulatorState, credentials: Credentials) -> None:
        self._endpoint_url = state.endpoint_url
        session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
        session.set_config_variable("config_file", "/dev/null")
        session.set_config_variable("credentials_file", "/dev/null")
        session.register_component("data_loader", LOADER)
        super().__init__(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=state.region,
            botocore_session=session,
        )

    def client(self, service_name: str, **kwargs: Any) -> Any:  # type: ignore[override]
        """A client of one service; takes what `boto3.Session.client` takes, by name."""
        config = DIRECT.merge(kwargs.pop("config", None) or Config())
        return super().client(service_name, endpoint_url=self._endpoint_url, config=config, **kwargs)  # type: ignore[call-overload]


def session(state: EmulatorState, credentials: Credentials | None = None) -> EmulatorSession:
    """A session with the given credentials, or the administrator's."""
    return EmulatorSession(state, credentials or state.admin)


def assume(
    state: EmulatorState, role_arn: str, session_name: str, seconds: int = DEFAULT_SECONDS
) -> Credentials:
    """The credentials of a role, by sts:AssumeRole as the administrator.

    The role's trust policy must name the administrator's account. Raises botocore's ClientError where it does not.
    """
    answer = (
        session(state)
        .client("sts")
        .assume_role(RoleArn=role_arn, RoleSessionName=session_name, DurationSeconds=seconds)["Credentials"]
    )
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])


def process_environment(paths: Paths, state: EmulatorState, grant: Grant) -> Mapping[str, str]:
    """The AWS part of the environment of a process that works as the grant's role, as ECS would set it.

    Writes the grant's token to a file of mode 600 under `.sluice/tokens/`, since environments show in places where
    files do not. The role's trust policy must name ecs-tasks.amazonaws.com when the process first asks.
    """
    paths.ensure()
    name = hashlib.sha256(grant.query().encode()).hexdigest()[:16]
    token_file = paths.tokens / name
    write_private(token_file, grant.token(state.credentials_key))
    return grants.environment(state.endpoint_url, state.region, grant, str(token_file))
