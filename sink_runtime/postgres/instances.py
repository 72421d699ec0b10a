"""`sluice.sink_instances`: which sinks run, each with its plan. Deployments and contract migrations read it."""

from __future__ import annotations

import os
import secrets
import socket

from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.database import Connection

_REGISTER = """
INSERT INTO sluice.sink_instances (dataset, instance, plan_sha256, version, contract) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (dataset, instance) DO UPDATE
SET plan_sha256 = excluded.plan_sha256, version = excluded.version, contract = excluded.contract, started_at = now(),
  last_seen = now()
"""
# What was never seen since is gone: a contract migration waits for it no longer.
_GONE = "UPDATE sluice.sink_instances SET last_seen = '-infinity' WHERE dataset = $1 AND instance = $2"
_SEEN = "UPDATE sluice.sink_instances SET last_seen = now() WHERE dataset = $1 AND instance = $2"


_TOKEN = secrets.token_hex(4)


def instance_name() -> str:
    """This process among the sinks: the host's name, the process' number, and a token: containers that share the host's
    name are all process 1.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"


def register(connection: Connection, plan: SinkPlan, plan_sha256: str, instance: str) -> None:
    """Say that this sink is ready to write by this plan. Raises psycopg.Error."""
    connection.execute(_REGISTER, [plan.dataset, instance, plan_sha256, plan.version, plan.contract])


def seen(connection: Connection, plan: SinkPlan, plan_sha256: str, instance: str) -> None:
    """Say that this sink is alive; also the probe that the database is. Raises psycopg.Error.

    Registers it anew where somebody has removed it: a contract migration must not overlook it.
    """
    if connection.execute(_SEEN, [plan.dataset, instance]).rowcount == 0:
        register(connection, plan, plan_sha256, instance)


def gone(connection: Connection, plan: SinkPlan, instance: str) -> None:
    """Say that this sink ends in good order. Raises psycopg.Error."""
    connection.execute(_GONE, [plan.dataset, instance])
