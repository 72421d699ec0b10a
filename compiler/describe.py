"""Dataset -> everything there is to know of it, as plain JSON in a stable layout: what `sluice show` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import assert_never

from compiler import names
from compiler.canonical import Json
from compiler.dataset import (
    Bound,
    Check,
    Column,
    Dataset,
    Expression,
    Ignore,
    Index,
    Length,
    Matches,
    OnConflict,
    OneOf,
    Platform,
    Property,
    Rule,
    Update,
    UpdateIfNewer,
)
from compiler.record import Analysis
from compiler.table import TableColumn, check_id, identity_columns, key_columns, table_of, type_name

# Stands for the environment's prefix, which the stack configuration gives.
PREFIX = "<prefix>"


def describe(dataset: Dataset, analysis: Analysis) -> dict[str, Json]:
    """The dataset with every default, its type map, its limits and the names derived from it."""
    return {
        "name": dataset.name,
        "version": dataset.version,
        "uuid": str(dataset.uuid),
        "owner": dataset.owner,
        "description": dataset.description,
        "classification": str(dataset.classification),
        "table": _table(dataset, analysis),
        **({"sealed": asdict(dataset.tombstone)} if dataset.tombstone else {}),
        "producers": list(dataset.producers),
        "readers": list(dataset.readers),
        "buffer": {
            "format": str(dataset.buffer.format),
            "max_receive_count": dataset.buffer.max_receive_count,
            "retention_days": dataset.buffer.retention_days,
            "visibility_timeout_seconds": dataset.buffer.visibility_timeout_seconds,
        },
        "sink": {
            "batch_records": dataset.sink.batch_records,
            "linger_ms": dataset.sink.linger_ms,
            "min_tasks": dataset.sink.min_tasks,
            "max_tasks": dataset.sink.max_tasks,
            "latency_target_seconds": dataset.sink.latency_target_seconds,
        },
        "alarms": asdict(dataset.alarms),
        "events": {"publish": dataset.publish_events},
        "evolve": {"compatible": dataset.compatible_because},
        "names": _names(dataset),
        "narrowings": [{"column": one.column, "text": one.text} for one in dataset.narrowings],
        "record_sha256": dataset.record_sha256,
        "record": dataset.record.value,
        "effective": dataset.effective.value,
    }


def rule_text(rule: Rule) -> str:
    """A CHECK in words."""
    match rule:
        case OneOf(values):
            return f"one of {', '.join(values)}"
        case Length(minimum, None):
            return f"at least {minimum} characters"
        case Length(None, maximum):
            return f"at most {maximum} characters"
        case Length(minimum, maximum):
            return f"{minimum} to {maximum} characters"
        case Bound(operator, value):
            return f"{operator} {value}"
        case Matches(pattern):
            return f"matches {pattern}"
        case Expression(sql):
            return sql
        case _:
            assert_never(rule)


def conflict_text(on_conflict: OnConflict) -> str:
    """What a second record with the same key does."""
    match on_conflict:
        case Ignore():
            return "ignore: the first one committed stays"
        case Update():
            return "update: the one sent last wins"
        case UpdateIfNewer(column):
            return f"update_if_newer {column}: the one with the highest {column} wins"
        case _:
            assert_never(on_conflict)


def source_text(column: Column) -> str:
    """Where the column's value comes from: a property by its JSON name, or the platform."""
    match column.source:
        case Property(name):
            return f"property {name}"
        case Platform() as platform:
            return str(platform)
        case _:
            assert_never(column.source)


def _table(dataset: Dataset, analysis: Analysis) -> dict[str, Json]:
    own = {column.name for column in dataset.columns}
    sink_only = {source.column.name: analysis.sink_only(source) for source in analysis.sources}
    return {
        "schema": dataset.schema,
        "key": list(key_columns(dataset.key)),
        "on_conflict": _conflict(dataset.on_conflict),
        "columns": [_column(column, dataset, sink_only.get(column.name, ())) for column in dataset.columns],
        "sluice_columns": [
            _identity(column) for column in identity_columns(dataset.key, dataset.on_conflict)
        ],
        "checks": [_check(check) for check in dataset.checks if check.column not in own],
        "indexes": [_index(index) for index in dataset.indexes],
        "unmanaged": list(dataset.unmanaged),
    }


def _column(column: Column, dataset: Dataset, sink_only: tuple[str, ...]) -> dict[str, Json]:
    return {
        "name": column.name,
        "type": type_name(column.type),
        "nullable": column.nullable,
        "from": source_text(column).removeprefix("property "),
        "platform": isinstance(column.source, Platform),
        "optional": column.optional,
        "default": column.default.value if column.default else None,
        "rounds": column.rounds,
        "renamed_from": column.renamed_from,
        "classification": str(column.classification),
        "description": column.description,
        "checks": [_check(check) for check in dataset.checks if check.column == column.name],
        "sink_checks": list(sink_only),
    }


def _identity(column: TableColumn) -> dict[str, Json]:
    return {"name": column.name, "type": type_name(column.type), "nullable": column.nullable}


def _check(check: Check) -> dict[str, Json]:
    identity = check_id(check.column, check.rule)
    return {"name": names.check(check.column, identity), "text": rule_text(check.rule)}


def _index(index: Index) -> dict[str, Json]:
    return {
        "name": index.name,
        "method": str(index.method),
        "columns": [
            {"column": column.name, "order": str(column.order), "nulls": str(column.nulls)}
            for column in index.columns
        ],
        "include": list(index.include),
        "where": index.where.sql if index.where else None,
    }


def _conflict(on_conflict: OnConflict) -> Json:
    match on_conflict:
        case Ignore():
            return "ignore"
        case Update():
            return "update"
        case UpdateIfNewer(column):
            return {"update_if_newer": column}
        case _:
            assert_never(on_conflict)


def _names(dataset: Dataset) -> dict[str, Json]:
    """Every derived name; the prefix is the environment's, and a name over its limit is cut and hashed there."""
    table = table_of(dataset)
    return {
        "relation": f"{dataset.schema}.{dataset.name}",
        "table": f"{table.schema}.{table.name}",
        "key_constraint": table.key_name,
        "indexes": [index.name for index in table.indexes],
        "writer_role": names.writer_role(PREFIX, dataset.name),
        "reader_role": names.reader_role(PREFIX, dataset.name),
        "sink_login": names.sink_login(PREFIX, dataset.name),
        "buffer": names.buffer_queue(PREFIX, dataset.name),
        "dead_letter_queue": names.dead_letter_queue(PREFIX, dataset.name),
        "topic": names.topic(PREFIX, dataset.name),
    }
