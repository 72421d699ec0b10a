"""The privileges that a role holds on objects, read from the ACLs in the catalog."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from dev.resources.handler import Properties, ResourceError

# The kind of object -> a query of names and ACLs, from the schema, the objects and the columns. An ACL that is
# null gives a role that does not own the object nothing.
_RELATIONS = (
    "SELECT c.relname::text AS name, c.relacl AS acl FROM pg_catalog.pg_class AS c"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s"
    " AND c.relkind = ANY (%(kinds)s) AND (c.relname = ANY (%(objects)s) OR %(objects)s = '{}')"
)
_QUERIES = {
    "table": _RELATIONS,
    "sequence": _RELATIONS,
    "column": (
        "SELECT a.attname::text AS name, a.attacl AS acl FROM pg_catalog.pg_attribute AS a"
        " JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s"
        " AND c.relname = ANY (%(objects)s) AND a.attname = ANY (%(columns)s) AND NOT a.attisdropped"
    ),
    "function": (
        "SELECT p.proname::text AS name, p.proacl AS acl FROM pg_catalog.pg_proc AS p"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = %(schema)s"
        " AND (p.proname = ANY (%(objects)s) OR %(objects)s = '{}')"
    ),
    "schema": "SELECT nspname::text AS name, nspacl AS acl FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s",
    "database": (
        "SELECT datname::text AS name, datacl AS acl FROM pg_catalog.pg_database WHERE datname = %(database)s"
    ),
}
_KINDS = {"sequence": ["S"]}
_TABLES = ["r", "p", "v", "m", "f"]


def held(connection: psycopg.Connection[Any], grant: Properties) -> dict[str, Any] | None:
    """`privileges` and `withGrantOption` of the role on the grant's objects; None where the role or an object is gone.

    Where the objects differ, it is the first one by name that does not hold exactly what the grant declares.
    """
    kind = grant["objectType"]
    if kind not in _QUERIES:
        raise ResourceError(f"`objectType` is {kind!r}, whose privileges cannot be read.")
    about = {
        "schema": grant.get("schema"),
        "database": grant["database"],
        "objects": list(grant.get("objects", [])),
        "columns": list(grant.get("columns", [])),
        "kinds": _KINDS.get(kind, _TABLES),
        "role": grant["role"],
    }
    found = connection.execute(_query(kind), about).fetchall()
    named = about["columns"] if kind == "column" else about["objects"]
    is_role = connection.execute(
        "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %(role)s", about
    ).fetchone()
    if is_role is None or not found or set(named) - {name for name, _, _ in found}:
        return None
    declared = {
        "privileges": sorted(grant["privileges"]),
        "withGrantOption": bool(grant.get("withGrantOption")),
    }
    rights = [
        {"privileges": sorted(set(words or ())), "withGrantOption": bool(option)}
        for _, words, option in found
    ]
    return next((one for one in rights if one != declared), declared)


def _query(kind: str) -> sql.Composed:
    """Each object's name, the words that its ACL gives the role, and whether all of them may be passed on."""
    return sql.SQL(
        "SELECT o.name, pg_catalog.array_agg(x.privilege_type) FILTER (WHERE x.privilege_type IS NOT NULL),"
        " pg_catalog.bool_and(x.is_grantable) FROM ({}) AS o LEFT JOIN LATERAL"
        " (SELECT a.privilege_type, a.is_grantable FROM pg_catalog.aclexplode(o.acl) AS a"
        " JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee WHERE r.rolname = %(role)s) AS x ON true"
        " GROUP BY o.name ORDER BY o.name"
    ).format(sql.SQL(_QUERIES[kind]))
