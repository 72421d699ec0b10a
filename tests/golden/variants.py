"""The resource graph of one dataset under other stack configurations than the embedded one's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_DATABASE: Mapping[str, Any] = {
    "host": "events.abc.eu-central-1.rds.amazonaws.com",
    "name": "events",
    "admin": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:events-admin-AbCdEf",
}
_COMMON: Mapping[str, Any] = {
    "environment": "variant",
    "prefix": "embedded",
    "region": "eu-central-1",
    "allowed_account_ids": ["123456789012"],
    "datasets": ["alert_events"],
    "principals": {
        "monitor": {"aws": "arn:aws:iam::123456789012:role/jobs/monitor"},
        "analytics": {"postgres": "analytics"},
    },
    "operator": {"aws": "arn:aws:iam::123456789012:role/on-call", "postgres": "on_call"},
    "database": _DATABASE,
    "network": {
        "vpc": "vpc-0a1b2c3d4e5f60718",
        "subnets": ["subnet-0a1b2c3d4e5f60718"],
        "database_cidrs": ["10.0.0.0/16"],
    },
    "image": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/sluice-sink@sha256:{'ab' * 32}",
    "alarm_topics": {"*": "arn:aws:sns:eu-central-1:123456789012:on-call"},
}
STACK = "variant"

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "secret": {"database": {**_DATABASE, "auth": "secret", "password_rotation": 1}},
    "iam": {"database": {**_DATABASE, "auth": "iam", "resource_id": "db-ABCDEFGHIJKL01234"}},
    "customer_key": {
        "encryption": "customer_key",
        "principals": {
            "monitor": {"aws": "arn:aws:iam::210987654321:role/jobs/monitor"},
            "analytics": {"postgres": "analytics"},
        },
    },
    "referenced_foundation": {"foundation": "acme/sluice/base", "prefix": "more"},
    "cross_account": {
        "principals": {
            "monitor": {"aws": "arn:aws:iam::210987654321:role/jobs/monitor"},
            "analytics": {"postgres": "analytics"},
        }
    },
}
"""Name -> the keys in which the variant differs."""


def configuration(name: str) -> dict[str, str]:
    """The variant's configuration as the engine hands it to the program of the stack STACK: what is no text, as JSON."""
    values = {**_COMMON, **VARIANTS[name]}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
