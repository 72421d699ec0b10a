"""What a client needs to know of a running emulator: the contents of its state file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Credentials:
    """AWS credentials; `session_token` is None for a user's access key. Secrets do not show in the repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


@dataclass(frozen=True)
class EmulatorState:
    """Where the emulator listens, its region and account, its administrator, and the key behind its grants."""

    endpoint_url: str
    region: str
    account_id: str
    admin: Credentials
    credentials_key: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON object; `from_json` reads it."""
        return {
            "endpoint_url": self.endpoint_url,
            "region": self.region,
            "account_id": self.account_id,
            "admin": {
                "access_key_id": self.admin.access_key_id,
                "secret_access_key": self.admin.secret_access_key,
            },
            "credentials_key": self.credentials_key,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> EmulatorState:
        """The state that `to_json` wrote."""
        admin = document["admin"]
        return cls(
            endpoint_url=document["endpoint_url"],
            region=document["region"],
            account_id=document["account_id"],
            admin=Credentials(admin["access_key_id"], admin["secret_access_key"], None),
            credentials_key=document["credentials_key"],
        )
