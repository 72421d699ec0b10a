"""One thread's session with Postgres: opened, checked against the plan, registered; opened anew when it is lost."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg

from sink_runtime.faults import Fault
from sink_runtime.plan import SinkPlan
from sink_runtime.postgres import instances, served
from sink_runtime.postgres.database import Connection, Database
from sink_runtime.postgres.errors import DatabaseFault

SEEN_SECONDS = 5.0  # how old the last sign of life from Postgres may be


class Session:
    """Hands out a connection that serves the plan."""

    def __init__(self, database: Database, plan: SinkPlan, plan_sha256: str) -> None:
        self._database = database
        self._plan = plan
        self._plan_sha256 = plan_sha256
        self._instance = instances.instance_name()
        self._seen = 0.0

    def enter(self) -> Connection:
        """The connection, opened, checked and registered anew where the last one is gone. Raises Fault."""
        connection = self._database.current
        try:
            if connection is None or connection.broken:
                return self._open()
            if time.monotonic() - self._seen >= SEEN_SECONDS:
                instances.seen(connection, self._plan, self._plan_sha256, self._instance)
                self._seen = time.monotonic()
        except psycopg.Error as error:
            self._database.close()
            raise DatabaseFault.of(error, self._plan) from None
        return connection

    def _open(self) -> Connection:
        connection = self._database.connect()
        found = served.mismatches(connection, self._plan)
        if found:
            self._database.close()
            raise Fault("plan", "; ".join(mismatch.text for mismatch in found), alarm=True)
        instances.register(connection, self._plan, self._plan_sha256, self._instance)
        self._seen = time.monotonic()
        return connection

    def leave(self) -> None:
        """Say that this sink is gone, if Postgres can be told, and drop the connection."""
        connection = self._database.current
        if connection is not None and not connection.broken:
            with suppress(psycopg.Error):
                instances.gone(connection, self._plan, self._instance)
        self.close()

    def close(self) -> None:
        """Drop the connection: the next to enter gets a fresh one, checked anew."""
        self._database.close()
