"""Dataset -> SinkPlan: what the generic sink applies, with the one statement that writes a batch.

The statement's parameters and result are fixed in `sink_runtime.plan` (PARAMETERS, ARRAYS, RESULT); `write_statement` explains
how it keeps the contract. All SQL text goes through psycopg.sql.
"""

from __future__ import annotations

from typing import assert_never

from compiler import names
from compiler.canonical import JsonDocument
from compiler.dataset import (
    Classification,
    Column,
    Dataset,
    Ignore,
    OnConflict,
    Platform,
    Property,
    Source,
    Update,
    UpdateIfNewer,
)
from compiler.emit.sink_records import arrays
from compiler.emit.sink_statement import write_statement
from compiler.table import Table, TableColumn, identity_columns, table_of, type_name
from sink_runtime.plan import FORMAT, PlanColumn, SinkPlan

_CONFIDENTIAL = (Classification.CONFIDENTIAL, Classification.RESTRICTED)


def sink_plan(dataset: Dataset, schemas: tuple[str, ...], contract: int = 0) -> SinkPlan:
    """The dataset's plan.

    `schemas` are the record schema hashes of this version's history; the current one is added. `contract` is the number of
    the chain's last contract migration.
    """
    table = table_of(dataset)
    return SinkPlan(
        format=FORMAT,
        dataset=dataset.name,
        dataset_uuid=str(dataset.uuid),
        version=dataset.version,
        relation_schema=table.schema,
        relation=table.name,
        record_sha256=dataset.record_sha256,
        schemas=tuple(sorted({*schemas, dataset.record_sha256})),
        buffer_format=str(dataset.buffer.format),
        effective=_object(dataset.effective),
        columns=_columns(dataset),
        key=table.key,
        key_constraint=table.key_name,
        constraints=_constraints(table),
        on_conflict=_conflict_name(dataset.on_conflict),
        statement=write_statement(dataset),
        arrays=arrays(dataset),
        batch_records=dataset.sink.batch_records,
        linger_ms=dataset.sink.linger_ms,
        max_receive_count=dataset.buffer.max_receive_count,
        visibility_timeout_seconds=dataset.buffer.visibility_timeout_seconds,
        latency_target_seconds=dataset.sink.latency_target_seconds,
        publish_events=dataset.publish_events,
        contract=contract,
    )


def _object(document: JsonDocument) -> dict[str, object]:
    value = document.value
    assert isinstance(value, dict), "the effective schema is an object: allOf [record, domain]"
    return value


def _columns(dataset: Dataset) -> tuple[PlanColumn, ...]:
    identity = identity_columns(dataset.key, dataset.on_conflict)
    return tuple(map(_declared, dataset.columns)) + tuple(map(_identity, identity))


def _declared(column: Column) -> PlanColumn:
    return PlanColumn(
        name=column.name,
        type=type_name(column.type),
        nullable=column.nullable,
        source=_source(column.source),
        confidential=column.classification in _CONFIDENTIAL,
    )


def _identity(column: TableColumn) -> PlanColumn:
    what = column.name.removeprefix(names.RESERVED_COLUMN_PREFIX)
    return PlanColumn(
        column.name, type_name(column.type), column.nullable, f"identity:{what}", confidential=False
    )


def _source(source: Source) -> str:
    match source:
        case Property(name):
            return f"property:{name}"
        case Platform() as platform:
            return f"platform:{platform}"
        case _:
            assert_never(source)


def _constraints(table: Table) -> tuple[str, ...]:
    return tuple(sorted([table.key_name, *(check.name for check in table.checks)]))


def _conflict_name(on_conflict: OnConflict) -> str:
    match on_conflict:
        case Ignore():
            return "ignore"
        case Update():
            return "update"
        case UpdateIfNewer():
            return "update_if_newer"
        case _:
            assert_never(on_conflict)
