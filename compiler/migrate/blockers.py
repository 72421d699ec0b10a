"""Who stands in a step's way: the sessions that hold a lock on the table, or a transaction that a build waits for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg import Connection

from compiler.migrate.model import Lock
from compiler.migrate.relations import Relation
from compiler.migrate.session import become_owner

_WORDS = 6

# What a session that is named needs to be found by.
_WHO = r"""
    CASE WHEN a.query = '<insufficient privilege>'
    THEN format('pid %%s (a member of pg_read_all_stats would see more)', a.pid)
    ELSE format('pid %%s (%%s, transaction open for %%s s, %%s%%s)', a.pid, coalesce(nullif(a.application_name, ''), 'no name'),
        coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::bigint, 0), a.state,
        coalesce(': ' || nullif(array_to_string(
            (regexp_split_to_array(btrim(left(a.query, 200)), '\s+'))[1:%s], ' '), ''), '')) END"""

# What blocks us is held on the table, its view or one of its indexes, in a mode that conflicts with ours.
_HOLDERS = """
SELECT {who}
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid() AND EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation' AND l.mode <> ALL (%s)
      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
      AND l.relation IN (
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname IN (%s, %s)
        UNION ALL
        SELECT x.indexrelid FROM pg_index AS x
        WHERE x.indrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))))
ORDER BY a.xact_start, a.pid
""".replace("{who}", _WHO)

# A build's lock on the table is the session's, and is let go a moment before its last transaction commits.
_BUILDERS = """
SELECT a.pid, {who}
FROM pg_stat_activity AS a
WHERE a.pid <> pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker' AND EXISTS (
    SELECT FROM pg_locks AS l
    WHERE l.pid = a.pid AND l.granted
      AND (l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
             AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
             AND l.relation = to_regclass(format('%%I.%%I', %s::text, %s::text))
        OR l.locktype = 'transactionid' AND l.pid = ANY (%s)))
ORDER BY a.pid
""".replace("{who}", _WHO)

_BLOCKING = """
SELECT a.pid, {who}
FROM pg_stat_activity AS a WHERE a.pid = ANY (pg_blocking_pids(%s))
ORDER BY a.xact_start, a.pid
""".replace("{who}", _WHO)

_HARMLESS = {
    Lock.ACCESS_EXCLUSIVE: [],
    Lock.SHARE_UPDATE_EXCLUSIVE: ["AccessShareLock", "RowShareLock", "RowExclusiveLock"],
    Lock.SHARE: ["AccessShareLock", "RowShareLock", "ShareLock"],
    Lock.NONE: [],
}


def holders(connection: Connection[Any], relation: Relation, lock: Lock) -> tuple[str, ...]:
    """The sessions that hold what `lock` on the relation conflicts with, the longest transaction first."""
    at = (relation.schema, relation.table)
    return _ask(
        connection,
        _HOLDERS,
        (_WORDS, _HARMLESS[lock], relation.schema, relation.table, relation.view, *at),
    )


def blocking(connection: Connection[Any], pid: int) -> tuple[tuple[int, str], ...]:
    """The sessions that the session `pid` waits for just now: pid and words. Asked by the login itself."""
    return tuple((row[0], row[1]) for row in connection.execute(_BLOCKING, (_WORDS, pid)))


def builders(
    connection: Connection[Any], relation: Relation, known: Collection[int]
) -> tuple[tuple[int, str], ...]:
    """The sessions that build or drop an index of the table, or change it otherwise while it is used: pid and words.

    `known` are the process ids that were found before: they count until what they have written is committed.
    """
    parameters = (_WORDS, relation.schema, relation.table, list(known))
    return tuple((row[0], row[1]) for row in _rows(connection, _BUILDERS, parameters))


def _ask(connection: Connection[Any], query: str, parameters: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(row[0] for row in _rows(connection, query, parameters))


def _rows(connection: Connection[Any], query: str, parameters: tuple[object, ...]) -> list[Any]:
    """As the login itself: it may see other sessions, which the tables' owner may not."""
    connection.execute("RESET ROLE")
    try:
        return connection.execute(query, parameters).fetchall()
    finally:
        become_owner(connection)
