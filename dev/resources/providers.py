"""Explicit provider resources: nothing is created; what they say of the address must be where we are."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, ResourceError, State, Upsert

CHECKS_OF_AWS = "the emulator is on loopback; there is nothing to look up beforehand"
AMBIENT = "the handlers have connections of their own; only the real provider opens one by it"


class AwsProvider(Upsert):
    """`pulumi:providers:aws`: its region and accounts must be the emulator's. Provider inputs are JSON texts."""

    type: ClassVar = "pulumi:providers:aws"
    carried: ClassVar = frozenset({"region", "allowedAccountIds"})
    inert: ClassVar = {
        "skipCredentialsValidation": CHECKS_OF_AWS,
        "skipMetadataApiCheck": CHECKS_OF_AWS,
        "skipRegionValidation": CHECKS_OF_AWS,
        "skipRequestingAccountId": CHECKS_OF_AWS,
    }

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Check the address."""
        del name
        _must_be("region", inputs.get("region", context.region), context.region)
        allowed = _decoded(inputs.get("allowedAccountIds"))
        if allowed and context.account not in allowed:
            raise ResourceError(
                f"allowedAccountIds is {allowed}; the emulator's account is {context.account}."
            )
        return Created("aws", dict(inputs))

    def delete(self, context: Context, state: State) -> None:
        """Nothing was created."""


class PostgresProvider(Upsert):
    """`pulumi:providers:postgresql`: its host, port and database must be the embedded server's."""

    type: ClassVar = "pulumi:providers:postgresql"
    carried: ClassVar = frozenset({"host", "port", "database"})
    inert: ClassVar = {
        "connectTimeout": AMBIENT,
        "expectedVersion": AMBIENT,
        "maxConnections": AMBIENT,
        "sslmode": AMBIENT,
        "superuser": AMBIENT,
    }

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Check the address."""
        del name
        for key, parameter in (("host", "host"), ("port", "port"), ("database", "dbname")):
            here = context.postgres[parameter]
            _must_be(key, str(inputs.get(key, here)), str(here))
        return Created("postgresql", dict(inputs))

    def delete(self, context: Context, state: State) -> None:
        """Nothing was created."""


def _must_be(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise ResourceError(f"`{key}` is {found}, but the embedded environment's is {expected}.")


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
