"""Postgres roles and grants, with the meaning that pulumi-postgresql gives them."""

from __future__ import annotations

from typing import Any, ClassVar

import psycopg
from psycopg import sql

from dev.resources import privileges
from dev.resources.context import Context
from dev.resources.handler import Created, Properties, ResourceError, Served, State, Upsert, physical_name

# The wire's property -> the keyword of CREATE ROLE, and pulumi-postgresql's default.
FLAGS = {
    "login": ("LOGIN", False),
    "inherit": ("INHERIT", True),
    "superuser": ("SUPERUSER", False),
    "createDatabase": ("CREATEDB", False),
    "createRole": ("CREATEROLE", False),
    "replication": ("REPLICATION", False),
    "bypassRowLevelSecurity": ("BYPASSRLS", False),
}
FLAG_COLUMNS = {
    "login": "rolcanlogin",
    "inherit": "rolinherit",
    "superuser": "rolsuper",
    "createDatabase": "rolcreatedb",
    "createRole": "rolcreaterole",
    "replication": "rolreplication",
    "bypassRowLevelSecurity": "rolbypassrls",
}
NO_LIMIT = -1
SCHEMA_OBJECTS = {"table": "TABLE", "sequence": "SEQUENCE", "function": "FUNCTION"}


class Role(Served):
    """A role and its memberships; the id is its name. A password is no input: it would stand in the state."""

    type: ClassVar = "postgresql:index/role:Role"
    carried: ClassVar = frozenset({"name", "roles", "connectionLimit", "skipDropRole", *FLAGS})
    replacing: ClassVar = frozenset({"name"})
    identity: ClassVar = frozenset({"name"})
    defaults: ClassVar = {
        "connectionLimit": NO_LIMIT,
        "roles": [],
        **{key: default for key, (_, default) in FLAGS.items()},
    }
    computed: ClassVar = frozenset(defaults)
    unordered: ClassVar = frozenset({"roles"})
    exclusive: ClassVar = True
    in_postgres: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the role, or take over the one of that name."""
        del name
        role = physical_name(inputs)
        with context.transaction() as connection:
            if not _role_exists(connection, role):
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            _set_role(connection, role, inputs)
        return Created(role, _role_outputs(inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set flags and memberships; memberships that are not declared are revoked."""
        with context.transaction() as connection:
            _set_role(connection, state.id, inputs)
        return _role_outputs(inputs)

    def identify(self, context: Context, inputs: Properties) -> str:
        """The name."""
        del context
        return physical_name(inputs)

    def read(self, context: Context, state: State) -> Properties | None:
        """Flags and memberships. A password cannot be read, and is not declared."""
        columns = sql.SQL(", ").join(sql.Identifier(column) for column in FLAG_COLUMNS.values())
        query = sql.SQL("SELECT rolconnlimit, {} FROM pg_catalog.pg_roles WHERE rolname = %s").format(columns)
        with context.transaction() as connection:
            row = connection.execute(query, [state.id]).fetchone()
            if row is None:
                return None
            roles = sorted(_memberships(connection, state.id))
        flags = dict(zip(FLAG_COLUMNS, row[1:], strict=True))
        return {"name": state.id, "roles": roles, "connectionLimit": row[0], **flags}

    def delete(self, context: Context, state: State) -> None:
        """Drop the role with what it was granted; what it owns goes to the administrator first, as the provider does."""
        if state.inputs.get("skipDropRole"):
            return
        with context.transaction() as connection:
            if not _role_exists(connection, state.id):
                return
            role = sql.Identifier(state.id)
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(role))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def _role_exists(connection: psycopg.Connection, role: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role])
    return found.fetchone() is not None


def _set_role(connection: psycopg.Connection, role: str, inputs: Properties) -> None:
    flags = [
        keyword if inputs.get(key, default) else f"NO{keyword}" for key, (keyword, default) in FLAGS.items()
    ]
    alter = sql.SQL("ALTER ROLE {} {} CONNECTION LIMIT {}").format(
        sql.Identifier(role),
        sql.SQL(" ").join(map(sql.SQL, flags)),
        sql.Literal(int(inputs.get("connectionLimit", NO_LIMIT))),
    )
    connection.execute(alter)
    wanted, held = set(inputs.get("roles", [])), set(_memberships(connection, role))
    for group in sorted(held - wanted):
        connection.execute(_membership("REVOKE {} FROM {}", group, role))
    for group in sorted(wanted - held):
        connection.execute(_membership("GRANT {} TO {}", group, role))


def _memberships(connection: psycopg.Connection, role: str) -> dict[str, bool]:
    """The groups that a role is a direct member of, each with whether it may admit others."""
    rows = connection.execute(
        "SELECT g.rolname, pg_catalog.bool_or(m.admin_option) FROM pg_catalog.pg_auth_members AS m"
        " JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid"
        " JOIN pg_catalog.pg_roles AS r ON r.oid = m.member WHERE r.rolname = %s GROUP BY 1",
        [role],
    )
    return dict(rows.fetchall())


def _membership(statement: str, group: str, role: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(group), sql.Identifier(role))


def _role_outputs(inputs: Properties) -> dict[str, Any]:
    return {**Role.defaults, **inputs}


class GrantRole(Upsert, Served):
    """One membership; the id is `role_group_admin`, as the provider's."""

    type: ClassVar = "postgresql:index/grantRole:GrantRole"
    carried: ClassVar = frozenset({"role", "grantRole", "withAdminOption"})
    replacing: ClassVar = frozenset({"role", "grantRole", "withAdminOption"})
    identity: ClassVar = frozenset({"role", "grantRole"})
    defaults: ClassVar = {"withAdminOption": False}
    computed: ClassVar = frozenset(defaults)
    in_postgres: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Grant the membership."""
        del name
        admin = bool(inputs.get("withAdminOption", False))
        statement = _membership("GRANT {} TO {}", inputs["grantRole"], inputs["role"])
        with context.transaction() as connection:
            connection.execute(statement + sql.SQL(" WITH ADMIN OPTION") if admin else statement)
        identity = f"{inputs['role']}_{inputs['grantRole']}_{str(admin).lower()}"
        return Created(identity, {"withAdminOption": admin, **inputs})

    def read(self, context: Context, state: State) -> Properties | None:
        """Whether the role is a member, and with which option."""
        group, role = state.inputs["grantRole"], state.inputs["role"]
        with context.transaction() as connection:
            members = _memberships(connection, role)
        return (
            {"role": role, "grantRole": group, "withAdminOption": members[group]}
            if group in members
            else None
        )

    def delete(self, context: Context, state: State) -> None:
        """Revoke the membership."""
        group, role = state.inputs["grantRole"], state.inputs["role"]
        with context.transaction() as connection:
            if _role_exists(connection, role) and _role_exists(connection, group):
                connection.execute(_membership("REVOKE {} FROM {}", group, role))


class Grant(Upsert, Served):
    """A role's rights on objects of a schema, on a schema or on a database: exactly the declared ones.

    The id is the provider's: role, database, schema, kind and objects, joined by `_`.
    """

    type: ClassVar = "postgresql:index/grant:Grant"
    carried: ClassVar = frozenset(
        {"role", "database", "schema", "objectType", "objects", "columns", "privileges", "withGrantOption"}
    )
    replacing: ClassVar = frozenset({"role", "database", "schema", "objectType", "objects", "columns"})
    identity: ClassVar = replacing
    unordered: ClassVar = frozenset({"objects", "columns", "privileges"})
    defaults: ClassVar = {"withGrantOption": False}
    computed: ClassVar = frozenset(defaults)
    in_postgres: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Revoke what the role holds on the objects, then grant what is declared, in one transaction."""
        del name
        with context.transaction(inputs["database"]) as connection:
            connection.execute(_revoke(inputs))
            if inputs["privileges"]:
                connection.execute(_grant(inputs))
        return Created(_grant_id(inputs), {"withGrantOption": False, **inputs})

    def read(self, context: Context, state: State) -> Properties | None:
        """What the role itself holds on the objects; it is gone with one of them, or with the role."""
        with context.transaction(state.inputs["database"]) as connection:
            held = privileges.held(connection, state.inputs)
        return None if held is None else {**state.inputs, **held}

    def delete(self, context: Context, state: State) -> None:
        """Revoke what the role holds on the objects; objects or a role that are gone hold nothing."""
        inputs = state.inputs
        for names in [[name] for name in sorted(inputs.get("objects", []))] or [[]]:
            try:
                with context.transaction(inputs["database"]) as connection:
                    connection.execute(_revoke({**inputs, "objects": names}))
            except (
                psycopg.errors.UndefinedColumn,
                psycopg.errors.UndefinedFunction,
                psycopg.errors.UndefinedObject,
                psycopg.errors.UndefinedTable,
                psycopg.errors.InvalidSchemaName,
            ):
                continue


def _grant(inputs: Properties) -> sql.Composed:
    grant = sql.SQL("GRANT {} ON {} TO {}").format(
        sql.SQL(", ").join(_privilege(word, inputs) for word in sorted(inputs["privileges"])),
        _target(inputs),
        sql.Identifier(inputs["role"]),
    )
    return grant + sql.SQL(" WITH GRANT OPTION") if inputs.get("withGrantOption") else grant


def _revoke(inputs: Properties) -> sql.Composed:
    return sql.SQL("REVOKE {} ON {} FROM {}").format(
        _privilege("ALL", inputs), _target(inputs), sql.Identifier(inputs["role"])
    )


def _privilege(word: str, inputs: Properties) -> sql.Composable:
    if not word.replace(" ", "").isalpha():
        raise ResourceError(f"`privileges` has {word!r}, which is no privilege.")
    if inputs["objectType"] != "column":
        return sql.SQL(word)
    columns = sql.SQL(", ").join(map(sql.Identifier, inputs["columns"]))
    return sql.SQL("{} ({})").format(sql.SQL(word), columns)


def _target(inputs: Properties) -> sql.Composable:
    kind = inputs["objectType"]
    if kind == "database":
        return sql.SQL("DATABASE {}").format(sql.Identifier(inputs["database"]))
    if kind == "schema":
        return sql.SQL("SCHEMA {}").format(sql.Identifier(inputs["schema"]))
    word = SCHEMA_OBJECTS.get("table" if kind == "column" else kind)
    if word is None:
        raise ResourceError(
            f"`objectType` is {kind!r}; known are column, database, schema, {', '.join(SCHEMA_OBJECTS)}."
        )
    if not inputs.get("objects"):
        return sql.SQL("ALL {}S IN SCHEMA {}").format(sql.SQL(word), sql.Identifier(inputs["schema"]))
    named = (sql.Identifier(inputs["schema"], name) for name in sorted(inputs["objects"]))
    return sql.SQL("{} {}").format(sql.SQL(word), sql.SQL(", ").join(named))


def _grant_id(inputs: Properties) -> str:
    schema = [] if inputs["objectType"] == "database" else [inputs["schema"]]
    parts = [inputs["role"], inputs["database"], *schema, inputs["objectType"]]
    return "_".join([*parts, *sorted(inputs.get("objects", [])), *sorted(inputs.get("columns", []))])
