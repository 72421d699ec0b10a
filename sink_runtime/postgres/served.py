"""Whether the catalog serves the plan: a sink that could not write must receive nothing.

Extra columns are fine as long as a row can do without them, so a database may be ahead of its sinks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.database import Connection
from sink_runtime.postgres.errors import Diagnosis

_COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       NOT a.attnotnull OR a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
"""

# Unique, usable now, whole and on plain columns: what ON CONFLICT (key) infers.
_KEYS = """
SELECT array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index AS i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid
"""

_RELATION = """
SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'
"""

_GRANTS = """
SELECT p FROM unnest($2::text[]) AS p WHERE NOT pg_catalog.has_table_privilege($1::oid, p)
"""


@dataclass(frozen=True)
class Mismatch:
    """One way in which the catalog does not serve the plan; the text names objects, never values.

    `is_grant`: the objects are there, and this login may not use them.
    """

    text: str
    is_grant: bool = False


def mismatches(connection: Connection, plan: SinkPlan) -> tuple[Mismatch, ...]:
    """Every mismatch, empty where the plan is served. Raises psycopg.Error where the catalog cannot be read."""
    encoding = connection.execute("SELECT pg_catalog.current_setting('server_encoding')").fetchone()
    if encoding != ("UTF8",):
        return (Mismatch("server_encoding is not UTF8"),)
    found = connection.execute(_RELATION, [plan.relation_schema, plan.relation]).fetchone()
    if found is None:
        return (Mismatch(f"table {plan.relation_schema}.{plan.relation} does not exist"),)
    oid = found[0]
    told = (*_columns(connection, plan, oid), *_key(connection, plan, oid), *_grants(connection, plan, oid))
    return told or tuple(_statement(connection, plan)) or tuple(_registration(connection, plan))


def _columns(connection: Connection, plan: SinkPlan, oid: object) -> Iterator[Mismatch]:
    live = {name: found for name, *found in connection.execute(_COLUMNS, [oid])}
    for column in plan.columns:
        type_, required, _ = live.pop(column.name, (None, None, None))
        if type_ is None:
            yield Mismatch(f"column {column.name} does not exist")
        elif type_ != column.type:
            yield Mismatch(f"column {column.name} is {type_}, the plan has {column.type}")
        elif required and column.nullable:
            yield Mismatch(f"column {column.name} is NOT NULL, and the plan may write null")
    for name, (_, _, spare) in sorted(live.items(), key=lambda item: str(item[0])):
        if not spare:
            yield Mismatch(f"column {name} is NOT NULL without a default, and the plan does not write it")


def _key(connection: Connection, plan: SinkPlan, oid: object) -> Iterator[Mismatch]:
    keys = [set(names) for (names,) in connection.execute(_KEYS, [oid]) if isinstance(names, list)]
    if set(plan.key) not in keys:
        yield Mismatch(f"no valid unique index on ({', '.join(plan.key)})")


def _grants(connection: Connection, plan: SinkPlan, oid: object) -> Iterator[Mismatch]:
    needed = ["INSERT", "SELECT"] if plan.on_conflict == "ignore" else ["INSERT", "SELECT", "UPDATE"]
    for (privilege,) in connection.execute(_GRANTS, [oid, needed]):
        yield Mismatch(
            f"this login lacks {privilege} on {plan.relation_schema}.{plan.relation}", is_grant=True
        )


def _registration(connection: Connection, plan: SinkPlan) -> Iterator[Mismatch]:
    """The head row, which row-level security shows to the dataset's own writer only."""
    query = "SELECT 1 FROM sluice.dataset_heads WHERE dataset = $1 AND version = $2"
    if connection.execute(query, [plan.dataset, plan.version]).fetchone() is None:
        yield Mismatch(
            f"{plan.dataset} v{plan.version} is not registered, or this login is not its writer",
            is_grant=True,
        )


def _statement(connection: Connection, plan: SinkPlan) -> Iterator[Mismatch]:
    """Postgres' own word on the statement: it parses, and every name, type and schema in it is there."""
    try:
        with (
            connection.transaction()
        ):  # behind a transaction pooler, the one place where both meet the same session
            connection.execute(f"PREPARE sluice_check AS {plan.statement}".encode())
            connection.execute("DEALLOCATE sluice_check")
    except (psycopg.ProgrammingError, psycopg.NotSupportedError) as error:  # classes 42, 3F and 0A
        yield Mismatch(f"the write statement cannot be prepared: {Diagnosis.of(error)}")
