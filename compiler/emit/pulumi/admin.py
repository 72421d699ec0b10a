"""The deploying user's connection to Postgres, found by a name when it is needed and never written anywhere.

The stack's configuration, which Pulumi copies into its state, holds the name only (`database.admin`). It is resolved
when a resource is created or changed, so that a preview needs no credentials.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pulumi.dynamic import Config

from compiler.canonical import Json
from compiler.migrate import session
from compiler.stack import Database, database_of

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class AdminError(Exception):
    """The deploying user's connection cannot be found; the text names where it was looked for, and holds none of it."""


@dataclass(frozen=True)
class Admin:
    """Where the database is and where the deploying user's login is found."""

    database: Database
    region: str

    @classmethod
    def of(cls, config: Config) -> Admin:
        """From the stack's configuration, as Pulumi hands it to dynamic providers: objects as JSON text."""
        value = config.require("sluice:database")
        return cls(
            database_of(json.loads(value) if isinstance(value, str) else value),
            config.require("sluice:region"),
        )

    def conninfo(self) -> dict[str, str]:
        """Connection parameters for psycopg. Raises AdminError."""
        kind, _, name = self.database.admin.partition(":")
        text = _from_environment(name) if kind == "env" else _from_secret(self.database.admin, self.region)
        found = _parsed(text, self.database.admin)
        defaults = {
            "host": self.database.host,
            "port": str(self.database.port),
            "dbname": self.database.name,
            "sslmode": self.database.sslmode,
        }
        return {**defaults, **found}


def set_password(admin: Admin, role: str, password: str) -> None:
    """Give a role that password. The server receives its SCRAM verifier only, and so does its log."""
    with session.connect(admin.conninfo()) as connection:
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))


def secrets_manager(region: str) -> SecretsManagerClient:
    """A client with a session of its own: the engine calls providers in several threads, and boto3's sessions are not for
    more than one.
    """
    import boto3  # no program needs it, and it takes as long to import as the compiler

    client: SecretsManagerClient = boto3.Session(region_name=region).client("secretsmanager")
    return client


def _from_environment(name: str) -> str:
    text = os.environ.get(name)
    if not text:
        raise AdminError(
            f"database.admin names the environment variable {name}, which is not set."
            " Put a libpq connection string or URL of the deploying user into it."
        )
    return text


def _from_secret(arn: str, region: str) -> str:
    text: str = secrets_manager(region).get_secret_value(SecretId=arn)["SecretString"]
    return text


def _parsed(text: str, place: str) -> dict[str, str]:
    """A connection string, or the {username, password} of a secret, as parameters.

    The parser's own message would repeat a part of the string, so it is not shown.
    """
    try:
        if text.lstrip().startswith("{"):
            return _login(json.loads(text))
        return {key: str(value) for key, value in conninfo_to_dict(text).items() if value is not None}
    except (psycopg.ProgrammingError, ValueError, KeyError):
        pass
    raise AdminError(
        f"what database.admin names ({place}) is no libpq connection string or URL, nor JSON with username and password."
    )


def _login(secret: Json) -> dict[str, str]:
    return {"user": str(secret["username"]), "password": str(secret["password"])}
