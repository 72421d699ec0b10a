"""A record that the effective schema admits is stored, and reads back equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import set_json_loads

from compiler.dataset import Dataset, Platform, Property
from compiler.emit.sink import sink_plan
from compiler.migrate.control import apply_control
from compiler.migrate.planner import creation
from compiler.migrate.steps.register import Registration
from compiler.table import table_of
from sink_runtime.records.decoder import fault_of
from tests.record.strategies import dataset_of, json_equal, json_text, manifests, records, stored_equal
from tests.support.postgres import MAJORS

SINK_ROLE = "sluice_sink"


@pytest.fixture(scope="module", params=MAJORS, ids=[f"postgres{major}" for major in MAJORS])
def database(request: pytest.FixtureRequest, postgres_of_major: Any) -> Iterator[psycopg.Connection[Any]]:
    """A database with the control schema; each example runs in a transaction of its own."""
    server = postgres_of_major(request.param)
    with psycopg.connect(**server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE stored_records")
        try:
            with psycopg.connect(
                **{**server.conninfo(), "dbname": "stored_records"}, autocommit=True
            ) as connection:
                set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)
                apply_control(connection, ["datasets"])
                connection.execute("RESET ROLE")
                connection.execute("SET TimeZone TO 'UTC'")
                yield connection
        finally:
            admin.execute("DROP DATABASE stored_records WITH (FORCE)")


@given(data=st.data())
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_what_is_admitted_is_stored_and_reads_back_equal(
    database: psycopg.Connection[Any], data: st.DataObject
) -> None:
    dataset = dataset_of(data.draw(manifests()))
    record = data.draw(records(dataset))
    if not _decodable(dataset, record):
        event("refused by the decoder")
        return
    for column in dataset.columns:
        event(type(column.type).__name__)
    with database.transaction(force_rollback=True):
        _create(database, dataset)
        row = _write_and_read(database, dataset, record)
    for column in dataset.columns:
        if column.source is Platform.RECORD:
            assert json_equal(record, row[column.name])
        if not isinstance(column.source, Property):
            continue
        name = column.source.name
        if name in record or column.default is None:
            assert stored_equal(column, record.get(name), row[column.name]), (
                column,
                record.get(name),
                row[column.name],
            )
        else:
            assert stored_equal(column, column.default.value, row[column.name])


def _decodable(dataset: Dataset, record: dict[str, Any]) -> bool:
    """The decoder's rules, which the plan has beside the schema."""
    doubles = [
        c.source.name
        for c in dataset.columns
        if type(c.type).__name__ == "Double" and isinstance(c.source, Property)
    ]
    flushed = any(record.get(name) and float(Decimal(str(record[name]))) == 0 for name in doubles)
    return fault_of(_exact(record), 512) is None and not flushed


def _exact(value: Any) -> Any:
    return json.loads(json_text(value), parse_float=Decimal)


def _create(database: psycopg.Connection[Any], dataset: Dataset) -> None:
    database.execute("SELECT set_config('sluice.writer_role', %s, true)", [SINK_ROLE])
    registration = Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    for step in creation(table_of(dataset), registration):
        for statement in [step.sql]:
            database.execute(statement)  # type: ignore[arg-type]


_ARRAYS = {
    "message_ids": ["11111111-1111-4111-8111-111111111111"],
    "positions": [0],
    "sent_ats": ["2026-01-01T00:00:00Z"],
    "senders": ["sender"],
}


def _write_and_read(
    database: psycopg.Connection[Any], dataset: Dataset, record: dict[str, Any]
) -> dict[str, Any]:
    plan = sink_plan(dataset, ())
    with psycopg.RawCursor(database) as cursor:
        cursor.execute(
            plan.statement.encode(),
            [
                f"[{json_text(record)}]",
                1,
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00Z",
                "22222222-2222-4222-8222-222222222222",
                "sha256:" + "0" * 64,
                1,
                0,
                "0" * 64,
                '{"sender": 1}',
                *[_ARRAYS[name] for name in plan.arrays],
            ],
        )
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(plan.relation_schema, plan.relation))
    with database.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        rows = cursor.execute(query).fetchall()
    assert len(rows) == 1
    return rows[0]
