"""A provider's configuration -> the context in which its handlers work.

As with the published providers, addresses stand in the configuration and credentials in the environment: AWS_* and
AWS_ENDPOINT_URL, PGUSER and PGPASSWORD.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from dev.emulator.client import session
from dev.emulator.state import Credentials, EmulatorState
from dev.resources import providers
from dev.resources.context import Context
from dev.resources.handler import Handler, Properties, ResourceError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Package:
    """A provider: whose types begin with `name`, whose configuration `provider` checks and `place` turns to a context."""

    name: str
    provider: Handler
    place: Callable[[Properties], Context]


def package(name: str) -> Package:
    """The provider of that name. Raises KeyError."""
    return {one.name: one for one in (AWS, POSTGRESQL)}[name]


def _aws(inputs: Properties) -> Context:
    """The emulator at AWS_ENDPOINT_URL; its account is asked for, as the published provider does."""
    endpoint = _environment("AWS_ENDPOINT_URL")
    if urlsplit(endpoint).hostname not in LOOPBACK:
        raise ResourceError(
            f"AWS_ENDPOINT_URL is {endpoint}: this provider works on an emulator of this machine only."
        )
    credentials = Credentials(
        _environment("AWS_ACCESS_KEY_ID"),
        _environment("AWS_SECRET_ACCESS_KEY"),
        os.environ.get("AWS_SESSION_TOKEN"),
    )
    if not inputs.get("region"):
        raise ResourceError("`region` is not given.")
    unnamed = EmulatorState(endpoint, inputs["region"], "", credentials, "")
    try:
        account = session(unnamed).client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise ResourceError(f"{endpoint} does not say whose account it is: {error}") from error
    return Context(emulator=replace(unnamed, account_id=account))


def _postgresql(inputs: Properties) -> Context:
    """The server that the configuration names; libpq takes user and password from the environment."""
    for name in ("PGUSER", "PGPASSWORD"):
        _environment(name)
    names: Mapping[str, str] = {"host": "host", "port": "port", "database": "dbname", "sslmode": "sslmode"}
    address: dict[str, Any] = {libpq: str(inputs[key]) for key, libpq in names.items() if inputs.get(key)}
    missing = sorted({"host", "port", "database"} - inputs.keys())
    if missing:
        raise ResourceError(f"{', '.join(f'`{key}`' for key in missing)} is not given.")
    return Context(postgres=address)


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ResourceError(f"the environment variable {name} is not set.")
    return value


AWS = Package("aws", providers.AwsProvider(), _aws)
POSTGRESQL = Package("postgresql", providers.PostgresProvider(), _postgresql)
