"""The resource graph of one dataset under other stack configurations than the embedded one's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.pulumi.recording import DATABASE

_IN_RDS: Mapping[str, Any] = {
    "host": "events.abc.eu-central-1.rds.amazonaws.com",
    "port": 5432,
    "name": "events",
    "sslmode": "verify-full",
    "superuser": False,
    "admin": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:events-admin-AbCdEf",
}
_PRINCIPALS = {
    "monitor": {"aws": "arn:aws:iam::210987654321:role/jobs/monitor"},
    "analytics": {"postgres": "analytics"},
}

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "secret": {"database": {**_IN_RDS, "auth": "secret", "password_rotation": 1}},
    "iam": {"database": {**_IN_RDS, "auth": "iam", "resource_id": "db-ABCDEFGHIJKL01234"}},
    "cross_account": {"database": DATABASE, "principals": _PRINCIPALS},
}
"""Name -> configuration keys over those of `Pulumi.embedded.yaml`."""


def configuration(name: str) -> dict[str, str]:
    """The variant's configuration as the engine hands it to the program: what is no text, as JSON."""
    values = {"datasets": ["alert_events"], "protect": True, **VARIANTS[name]}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
