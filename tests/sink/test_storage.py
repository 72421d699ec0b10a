"""A record that the effective schema admits goes through decoder, validator and statement, and reads back equal."""

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

from compiler.canonical import JsonDocument
from compiler.dataset import Column, Dataset, Platform, Property
from compiler.emit.sink import sink_plan
from compiler.migrate.control import apply_control
from compiler.migrate.planner import creation
from compiler.migrate.steps.register import Registration
from compiler.table import table_of
from dev.postgres import Address
from sink_runtime.postgres.batch import Batch
from sink_runtime.postgres.database import SESSION, Text, TextDumper
from sink_runtime.postgres.writer import Writer
from sink_runtime.records.admission import Admission
from sink_runtime.records.reasons import Reason
from tests.record.strategies import dataset_of, json_text, manifests, records, stored_equal
from tests.sink.messages import Message

# What stands beside the effective schema: the decoder's rules, which JSON Schema cannot say.
DECODER_REASONS = {Reason.NUL_CHARACTER, Reason.NUMBER_OUT_OF_RANGE, Reason.TOO_DEEP}


@pytest.fixture(scope="module")
def database(postgres_server: Address) -> Iterator[psycopg.Connection[Any]]:
    """A database with the control schema, and a session pinned as the sink's is."""
    with psycopg.connect(**postgres_server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE sink_storage")
        options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        conninfo = {**postgres_server.conninfo(), "dbname": "sink_storage", "options": options}
        try:
            with psycopg.connect(**conninfo, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
                connection.adapters.register_dumper(Text, TextDumper)
                set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)
                _prepare(conninfo)
                yield connection
        finally:
            admin.execute("DROP DATABASE sink_storage WITH (FORCE)")


def _prepare(conninfo: dict[str, Any]) -> None:
    with psycopg.connect(**conninfo, autocommit=True) as connection:
        apply_control(connection, ["datasets"])


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_what_is_admitted_is_stored_and_reads_back_equal(
    database: psycopg.Connection[Any], data: st.DataObject
) -> None:
    dataset = dataset_of(data.draw(manifests()))
    found = data.draw(st.lists(records(dataset), min_size=1, max_size=3))
    plan = sink_plan(dataset, ())
    envelope = f'{{"dataset": {json.dumps(dataset.name)}, "records": [{",".join(map(json_text, found))}]}}'
    delivery = Admission(plan).read(Message(body=envelope.encode()).received())
    for refused in delivery.refused:
        event(f"refused: {refused.rejection.reason}")
        assert refused.rejection.reason in DECODER_REASONS, refused
    if not delivery.indexes:
        return
    table = sql.Identifier(plan.relation_schema, plan.relation)
    try:
        _create(database, dataset)
        written = Writer(plan, plan.sha256).write(database, Batch.of([delivery]))
        assert not written.refused
        query = sql.SQL("SELECT * FROM {}").format(table)
        with database.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            rows = cursor.execute(query.as_string().encode()).fetchall()
        assert [len(rows)] == [one.inserted for one in written.commits]
        if len(delivery.indexes) == 1:
            _compare(dataset, found[delivery.indexes[0]], rows[0])
    finally:
        _drop(database, table, dataset)


def _compare(dataset: Dataset, record: dict[str, Any], row: dict[str, Any]) -> None:
    for column in dataset.columns:
        match column.source:
            case Property(name):
                expected = record[name] if name in record else _default(column)
                assert stored_equal(column, expected, row[column.name]), (column, expected, row[column.name])
            case Platform.RECORD:
                assert stored_equal(column, record, row[column.name]), (record, row[column.name])
            case Platform():
                assert row[column.name] is not None


def _default(column: Column) -> Any:
    return column.default.value if isinstance(column.default, JsonDocument) else None


def _create(database: psycopg.Connection[Any], dataset: Dataset) -> None:
    database.execute("SELECT set_config('sluice.writer_role', 'sluice_sink', false)")
    registration = Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    for step in creation(table_of(dataset), registration):
        database.execute(step.sql.encode())


def _drop(database: psycopg.Connection[Any], table: sql.Identifier, dataset: Dataset) -> None:
    database.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(table).as_string().encode())
    for name in ("output_commits", "dataset_heads", "generations", "datasets"):
        database.execute(f"DELETE FROM sluice.{name} WHERE dataset = $1".encode(), [dataset.name])
