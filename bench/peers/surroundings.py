"""The environment variables, as the peers need them."""

from __future__ import annotations

import os
from urllib.parse import quote

from sink_runtime import settings as names

TABLE = "datasets.alert_events_v1"
COLUMNS = ("org_id", "dedupe_key", "severity", "raised_at", "title", "value", "labels")
KEY = ("org_id", "dedupe_key")
BATCH = int(os.environ.get("BENCH_BATCH", "2000"))  # records of a transaction, as in the manifest


def queue() -> str:
    """The buffer's URL."""
    return os.environ[names.BUFFER_URL]


def endpoint() -> str:
    """The queue server's address."""
    return os.environ[names.ENDPOINT_URL]


def region() -> str:
    """The region to sign for."""
    return os.environ[names.REGION]


def credentials() -> tuple[str, str]:
    """The access key's id and secret."""
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def database_url() -> str:
    """The database as libpq, sqlx and lib/pq read it."""
    user, password = (quote(os.environ[name], safe="") for name in ("BENCH_USER", "BENCH_PASSWORD"))
    host, port = os.environ[names.DATABASE_HOST], os.environ[names.DATABASE_PORT]
    return f"postgres://{user}:{password}@{host}:{port}/{os.environ[names.DATABASE_NAME]}?sslmode=disable"
