"""One database session for migrations: connected directly, checked, and with every setting that could matter pinned.

No error text holds a password or a connection string: driver messages are passed on without them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from tenacity import Retrying, retry_if_not_result, wait_fixed

from compiler.migrate.errors import ConnectError
from compiler.migrate.model import POSTGRES_MINIMUM
from compiler.names import OWNER_ROLE

ConnInfo = str | Mapping[str, str | int]
APPLICATION_NAME = "sluice migrate"
CONNECT_SECONDS = 10
LOCK_POLL_SECONDS = 0.5

# Role- and database-level defaults of these change deparsed text, what a literal means, or whether a step can run.
_PINNED: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "search_path": "",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "default_tablespace": "",
    "row_security": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "client_min_messages": "warning",
}


@contextmanager
def connect(conninfo: ConnInfo) -> Iterator[Connection[Any]]:
    """A checked and pinned session in autocommit; empty `conninfo` means libpq's own variables and service files.

    Raises ConnectError where there is none, the server is too old, its encoding is not UTF8, or a pooler is between.
    """
    arguments = _arguments(conninfo)
    try:
        connection = psycopg.connect(
            **{
                "connect_timeout": CONNECT_SECONDS,
                **arguments,
                "application_name": APPLICATION_NAME,
                "options": _options(arguments),
            },
            autocommit=True,
        )
    except psycopg.Error as error:
        message = f"Cannot connect to Postgres: {without_secrets(error, arguments)}."
        raise ConnectError(message, _way_to(error)) from None
    with connection:
        try:
            _check(connection)
            pin(connection)
            yield connection
        except psycopg.Error as error:
            message = f"The database refused: {without_secrets(error, arguments)} (SQLSTATE {error.sqlstate or 'none'})."
            fix = "Nothing that was not finished has been kept. Remove the cause, then run the command again."
            raise ConnectError(message, fix) from None


def _way_to(error: psycopg.Error) -> str:
    """What to look at. libpq gives no SQLSTATE for a connection that was never made, so the server's text decides."""
    if re.search(r'database "[^"]*" does not exist', str(error)):
        return "Create the database, or name in PGDATABASE the one that is there."
    return "Check PGHOST, PGPORT, PGDATABASE, PGUSER and the password."


@contextmanager
def beside(connection: Connection[Any]) -> Iterator[Connection[Any]]:
    """A second session with the same database, as the login itself, in autocommit. Raises psycopg.Error."""
    arguments: dict[str, Any] = {**connection.info.get_parameters(), "password": connection.info.password}
    with psycopg.connect(**arguments, autocommit=True) as other:
        yield other


def _arguments(conninfo: ConnInfo) -> dict[str, Any]:
    """The connection's keyword arguments. libpq's own complaint of a bad string quotes it, so it is not passed on."""
    try:
        return dict(conninfo_to_dict(conninfo) if isinstance(conninfo, str) else conninfo)
    except psycopg.Error:
        raise ConnectError(
            "The connection string is not one that libpq reads.", "See its documentation."
        ) from None


def _options(arguments: Mapping[str, Any]) -> str:
    """The caller's own options, and no statement timeout: a role's default would cut off the pinning itself."""
    given = arguments.get("options") or os.environ.get("PGOPTIONS", "")
    return f"{given} -c statement_timeout=0".strip()


def without_secrets(error: psycopg.Error, arguments: Mapping[str, Any]) -> str:
    """The driver's message on one line, with every password that we know of taken out."""
    text = " ".join(str(error).split()).rstrip(".")
    for secret in (arguments.get("password"), arguments.get("sslpassword"), os.environ.get("PGPASSWORD")):
        if secret:
            text = text.replace(str(secret), "***")
    return text


def _check(connection: Connection[Any]) -> None:
    version = connection.info.server_version
    if version < POSTGRES_MINIMUM * 10_000:
        message = f"The server is Postgres {version // 10_000}."
        raise ConnectError(message, f"Sluice needs Postgres {POSTGRES_MINIMUM} or newer.")
    row = connection.execute(
        "SELECT pg_catalog.pg_backend_pid(), current_setting('server_encoding')"
    ).fetchone()
    assert row is not None
    pid, encoding = row
    if encoding != "UTF8":
        message = f"The database's encoding is {encoding}; lengths and texts would not mean the same."
        raise ConnectError(message, "Use a database that was created with ENCODING 'UTF8'.")
    # A pooler invents the process id that libpq was told; the advisory lock would not be this session's.
    if pid != connection.info.backend_pid:
        raise ConnectError(
            "A connection pooler stands before the server.",
            "Give the server's own host and port: a migration holds a lock in one session.",
        )


def pin(connection: Connection[Any]) -> None:
    """Set every pinned setting in the session, whatever the server, database and role have as defaults."""
    for name, value in _PINNED.items():
        connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
    # So that a killed client's statement ends and its locks go. Not every platform's server can watch a socket.
    with suppress(psycopg.Error):
        connection.execute("SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)")


def become_owner(connection: Connection[Any]) -> None:
    """SET ROLE sluice_owner for the session. Raises ConnectError where the role or the membership is missing."""
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER_ROLE)))
    except psycopg.errors.InvalidParameterValue:
        raise ConnectError(
            f"There is no role {OWNER_ROLE}.",
            "Bring up the Pulumi program's Foundation, or run `sluice migrate apply` as a role with CREATEROLE.",
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        user = connection.info.user
        raise ConnectError(
            f"{user} may not act as {OWNER_ROLE}.",
            f'Run as an administrator: GRANT {OWNER_ROLE} TO "{user}";',
        ) from None


@contextmanager
def advisory_lock(connection: Connection[Any], name: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold this database's lock of that name; `waiting` is told once when another session has it.

    The lock is asked for again and again, never queued for: a statement that queues holds a snapshot, and an index that
    the lock's holder builds concurrently waits for that, so the two would wait for each other.
    """
    key = _lock_key(name)

    def is_had() -> bool:
        row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,)).fetchone()
        return bool(row and row[0])

    if not is_had():
        waiting(f"{name}: another session is at work; waiting for it")
        Retrying(retry=retry_if_not_result(bool), wait=wait_fixed(LOCK_POLL_SECONDS))(is_had)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", (key,))


def _lock_key(name: str) -> int:
    digest = hashlib.sha256(f"sluice migrate {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
