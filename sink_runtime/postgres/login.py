"""The login of a sink: who it is to Postgres, by a stored password or by a token of the moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sink_runtime.aws import Aws
from sink_runtime.settings import Settings


def login_of(settings: Settings, aws: Aws) -> Callable[[], Mapping[str, str]]:
    """What gives {username, password}, anew at each call, which may raise Fault."""
    if settings.database_auth == "iam":
        return lambda: _token(settings, aws)
    return lambda: aws.secret(settings.database_secret_arn)


def _token(settings: Settings, aws: Aws) -> Mapping[str, str]:
    user = settings.database_user
    return {
        "username": user,
        "password": aws.database_token(settings.database_host, settings.database_port, user),
    }
