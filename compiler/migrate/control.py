"""The control schema's own migrations, and what the Foundation needs before them: roles and schemas.

Nothing is asked of the session that is there already, so a member of sluice_owner with no further rights may run this
on a database that an administrator has prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.sql import SQL, Identifier

from compiler.canonical import sha256_bytes
from compiler.migrate import session
from compiler.migrate.errors import ControlError
from compiler.migrate.files import NAME
from compiler.names import CONTROL_SCHEMA, GROUP_ROLES, OWNER_ROLE

FOLDER = Path(__file__).parent / "control"
_JOURNAL = SQL(
    "CREATE TABLE sluice.control_migrations ("
    "number integer PRIMARY KEY, name text NOT NULL, file_sha256 text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now(), applied_by name NOT NULL DEFAULT session_user)"
)


@dataclass(frozen=True)
class ControlResult:
    """What an apply made: roles, schemas, and the control files that it ran; empty where all was there."""

    roles: tuple[str, ...]
    schemas: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class ControlFile:
    """One numbered file of the control schema."""

    number: int
    name: str
    sql: str
    sha256: str


def control_files(folder: Path = FOLDER) -> tuple[ControlFile, ...]:
    """The control schema's migrations in order."""
    return tuple(_file(path) for path in sorted(folder.glob("*.sql")))


def apply_control(
    connection: Connection[Any], schemas: Sequence[str], files: Sequence[ControlFile] | None = None
) -> ControlResult:
    """Make sure of the roles, the control schema and the dataset schemas; ends as sluice_owner.

    `connection` is one that `session.connect` made. Applying again changes nothing.
    Raises ControlError where the session lacks a right that something missing needs, or a control file was edited.
    """
    connection.execute("RESET ROLE")
    with session.advisory_lock(connection, "control schema", lambda _: None):
        try:
            roles = tuple(role for role in (OWNER_ROLE, *GROUP_ROLES) if _make_role(connection, role))
            _make_member(connection)
            made = tuple(
                name for name in (CONTROL_SCHEMA, *sorted(set(schemas))) if _make_schema(connection, name)
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise ControlError(
                f"{connection.info.user} may not prepare the database: {error.diag.message_primary}.",
                "Run it as an administrator (CREATEROLE, and CREATE on the database), or bring up the Foundation.",
            ) from None
        session.become_owner(connection)
        return ControlResult(roles, made, _migrate(connection, files or control_files()))


def missing(connection: Connection[Any], schemas: Sequence[str]) -> ControlResult:
    """What `apply_control` would make. Reads only; becomes sluice_owner where that role is there."""

    def absent(query: str, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if connection.execute(query, (name,)).fetchone() is None)

    roles = absent("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (OWNER_ROLE, *GROUP_ROLES))
    if OWNER_ROLE not in roles:
        session.become_owner(connection)
    names = (CONTROL_SCHEMA, *sorted(set(schemas)))
    made = absent("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", names)
    applied = _known(connection)
    return ControlResult(
        roles, made, tuple(file.name for file in control_files() if file.number not in applied)
    )


def is_prepared(connection: Connection[Any]) -> bool:
    """Whether the control schema, and with it the journal, is there."""
    return bool(_known(connection))


def _make_role(connection: Connection[Any], role: str) -> bool:
    if connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone():
        return False
    try:
        connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return False  # roles are the cluster's, the lock is the database's: another database's Foundation was first
    return True


def _make_member(connection: Connection[Any]) -> None:
    """The session must be able to act as the owner; whoever made the role may grant it to itself."""
    able = "SELECT pg_catalog.pg_has_role(session_user, %s, 'MEMBER')"
    row = connection.execute(able, (OWNER_ROLE,)).fetchone()
    assert row is not None
    if connection.info.server_version >= 160_000:
        # From 16 on a membership may lack the right to SET ROLE, as that of a role's maker does.
        row = connection.execute(able.replace("MEMBER", "SET"), (OWNER_ROLE,)).fetchone()
        assert row is not None
    if not row[0]:
        grant = SQL("GRANT {} TO {}").format(Identifier(OWNER_ROLE), Identifier(connection.info.user))
        connection.execute(grant)


def _make_schema(connection: Connection[Any], name: str) -> bool:
    if connection.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (name,)).fetchone():
        _check_schema(connection, name)
        return False
    schema = Identifier(name)
    with connection.transaction():
        connection.execute(SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(schema, Identifier(OWNER_ROLE)))
        if name != CONTROL_SCHEMA:
            connection.execute(SQL("SET LOCAL ROLE {}").format(Identifier(OWNER_ROLE)))
            connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO PUBLIC").format(schema))
    return True


def _check_schema(connection: Connection[Any], name: str) -> None:
    row = connection.execute(
        "SELECT pg_catalog.has_schema_privilege(%s, %s, 'CREATE')", (OWNER_ROLE, name)
    ).fetchone()
    if row is None or not row[0]:
        statement = SQL("GRANT CREATE, USAGE ON SCHEMA {} TO {};").format(
            Identifier(name), Identifier(OWNER_ROLE)
        )
        raise ControlError(
            f"The schema {name} belongs to another role, and {OWNER_ROLE} may not create in it.",
            f"Run as its owner: {statement.as_string(None)}",
        )


def _migrate(connection: Connection[Any], files: Sequence[ControlFile]) -> tuple[str, ...]:
    known = {file.number: file for file in files}
    applied = _applied(connection)
    for number, (name, sha256) in applied.items():
        if number not in known:
            raise ControlError(
                f"The control schema is newer than this release: it has {name}.",
                "Use the release that made it.",
            )
        if known[number].sha256 != sha256:
            raise ControlError(
                f"The control migration {name} was applied with other contents ({sha256}).",
                "Restore the file that was applied; a change of the control schema is a new file.",
            )
    pending = [file for file in files if file.number not in applied]
    for file in pending:
        _run(connection, file)
    return tuple(file.name for file in pending)


def _applied(connection: Connection[Any]) -> dict[int, tuple[str, str]]:
    if not _has_journal(connection):
        connection.execute(_JOURNAL)
    return _known(connection)


def _has_journal(connection: Connection[Any]) -> bool:
    # Not to_regclass(): it needs the schema's USAGE, which a login has as the owner only.
    row = connection.execute(
        "SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = 'control_migrations'",
        (CONTROL_SCHEMA,),
    ).fetchone()
    return row is not None


def _known(connection: Connection[Any]) -> dict[int, tuple[str, str]]:
    """The control files that the database has: name and hash by number."""
    if not _has_journal(connection):
        return {}
    rows = connection.execute(
        "SELECT number, name, file_sha256 FROM sluice.control_migrations ORDER BY number"
    )
    return {number: (name, sha256) for number, name, sha256 in rows}


def _run(connection: Connection[Any], file: ControlFile) -> None:
    with connection.transaction():
        connection.execute(sql.SQL(file.sql))
        connection.execute(
            "INSERT INTO sluice.control_migrations (number, name, file_sha256) VALUES (%s, %s, %s)",
            (file.number, file.name, file.sha256),
        )


def _file(path: Path) -> ControlFile:
    found = NAME.fullmatch(path.name)
    assert found is not None, f"{path.name} is no control migration"
    data = path.read_bytes()
    return ControlFile(int(found[1]), path.name, data.decode(), sha256_bytes(data))
