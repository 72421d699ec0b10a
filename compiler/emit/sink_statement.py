"""The one statement that writes a batch: data, counts, sequence and output commit, whatever the batch's size.

Its parameters are `sink_runtime.plan.PARAMETERS` and the plan's `arrays`, its result is `RESULT`. From the inside out:

* `arriving` (in sink_records) reads the records with jsonb_to_recordset beside their identities, casts them and fills in defaults;
* `_chosen` sorts them by key: two sinks that write rows in the same order cannot deadlock. A statement may update a row
  once only, so where rows update it keeps one record of each key;
* `_written` inserts them and says of each row whether it was inserted or changed;
* `_head` takes the sequence as the last write before the commit row, and only where something changed.

Parameters are native ($1, $2, ...), so that no text of the statement is ever taken for a placeholder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from psycopg import sql

from compiler.dataset import Dataset, Ignore, Platform, Property, Update, UpdateIfNewer
from compiler.emit.sink_records import IDENTITY, ORDINAL, arriving, commas, identifiers, parameter
from compiler.table import identity_columns, key_columns, table_of


def write_statement(dataset: Dataset) -> str:
    """The statement's text, parameters by position. The same dataset gives the same text."""
    return (
        sql.SQL(
            "WITH written AS (\n{written}\n), counts AS (\n"
            "SELECT count(*) FILTER (WHERE inserted)::int4 AS inserted,\n"
            "  count(*) FILTER (WHERE changed)::int4 AS updated,\n"
            "  {records} - count(*) FILTER (WHERE inserted OR changed)::int4 AS unchanged\n"
            "FROM written\n), head AS (\n{head}\n), committed AS (\n{committed}\n)\n"
            "SELECT committed.sequence, committed.committed_at, counts.inserted, counts.updated, counts.unchanged\n"
            "FROM counts LEFT JOIN committed ON true"
        )
        .format(
            written=_written(dataset),
            records=parameter("record_count", "int4"),
            head=_head(dataset),
            committed=_committed(dataset),
        )
        .as_string(None)
    )


# --- in key order ------------------------------------------------------------------------------------------------------


def _chosen(dataset: Dataset) -> sql.Composed:
    parts = {
        "target": identifiers(_target(dataset)),
        "key": identifiers(key_columns(dataset.key)),
        "arriving": arriving(dataset),
        "ordinal": sql.Identifier(ORDINAL),
    }
    match dataset.on_conflict:
        case Ignore():  # of records with one key the first is written, which is the oldest
            return sql.SQL(
                "SELECT {target}\nFROM (\n{arriving}\n) AS arriving\nORDER BY {key}, {ordinal}"
            ).format(**parts)
        case Update() | UpdateIfNewer() as mode:
            newest = commas(sql.SQL("{} DESC").format(sql.Identifier(column)) for column in newness(mode))
            return sql.SQL(
                "SELECT {target}\nFROM (\nSELECT DISTINCT ON ({key}) * FROM (\n{arriving}\n) AS arriving\n"
                "ORDER BY {key}, {newest}, {ordinal}\n) AS chosen\nORDER BY {key}"
            ).format(newest=newest, **parts)
        case _:
            assert_never(dataset.on_conflict)


def newness(on_conflict: Update | UpdateIfNewer) -> tuple[str, ...]:
    """The columns by which one record is newer than another, first to last."""
    match on_conflict:
        case Update():
            return IDENTITY
        case UpdateIfNewer(column):
            return (column, *IDENTITY)
        case _:
            assert_never(on_conflict)


# --- writing -----------------------------------------------------------------------------------------------------------


def _written(dataset: Dataset) -> sql.Composed:
    table = table_of(dataset)
    return sql.SQL("INSERT INTO {} AS t ({})\n{}\nON CONFLICT ({}) {}").format(
        sql.Identifier(table.schema, table.name),
        identifiers(_target(dataset)),
        _chosen(dataset),
        identifiers(key_columns(dataset.key)),
        _on_conflict(dataset),
    )


def _target(dataset: Dataset) -> tuple[str, ...]:
    identity = identity_columns(dataset.key, dataset.on_conflict)
    return (*(column.name for column in dataset.columns), *(column.name for column in identity))


def _on_conflict(dataset: Dataset) -> sql.Composable:
    match dataset.on_conflict:
        case Ignore():
            return sql.SQL("DO NOTHING\nRETURNING true AS inserted, false AS changed")
        case Update() | UpdateIfNewer() as mode:
            return sql.SQL(
                "DO UPDATE SET {assignments}\nWHERE ({new}) > ({old})\n"
                "RETURNING t.xmax = 0 AS inserted, t.xmax <> 0 AND {changed} AS changed"
            ).format(
                assignments=commas(_assignments(dataset), "\n  "),
                new=commas(sql.Identifier("excluded", column) for column in newness(mode)),
                old=commas(sql.Identifier("t", column) for column in newness(mode)),
                changed=_changed(dataset),
            )
        case _:
            assert_never(dataset.on_conflict)


def _assignments(dataset: Dataset) -> Iterable[sql.Composable]:
    """Every column but the key's, so that the row is the newest record's, to the letter of its numbers.

    `$ingested_at` moves only with the record.
    """
    key = key_columns(dataset.key)
    ingested = {column.name for column in dataset.columns if column.source is Platform.INGESTED_AT}
    for name in _target(dataset):
        if name in ingested:
            yield sql.SQL("{} = CASE WHEN {} THEN {} ELSE {} END").format(
                sql.Identifier(name),
                _differs(dataset, "t", "excluded"),
                sql.Identifier("excluded", name),
                sql.Identifier("t", name),
            )
        elif name not in key:
            yield sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))


def _changed(dataset: Dataset) -> sql.Composable:
    """Whether the record columns of an updated row differ from those it had.

    RETURNING sees the new row only (before Postgres 18), but a query in it still sees the row of the statement's
    snapshot. Where another transaction has replaced that row since, its xmax is not our row's xmin: counted as changed, since
    a change that nobody announces is worse than an announcement too many. Nothing is locked ahead of the insert,
    which would break the order of locks.
    """
    table = table_of(dataset)
    return sql.SQL(
        "coalesce((\nSELECT was.xmax <> t.xmin OR {differs}\nFROM {relation} AS was\nWHERE {same}\n), true)"
    ).format(
        differs=_differs(dataset, "was", "t"),
        relation=sql.Identifier(table.schema, table.name),
        same=sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("was", column), sql.Identifier("t", column))
            for column in key_columns(dataset.key)
        ),
    )


def _differs(dataset: Dataset, left: str, right: str) -> sql.Composable:
    """The record's columns by name: a platform column such as now() would make every replay a change."""
    key = key_columns(dataset.key)
    columns = [
        column.name
        for column in dataset.columns
        if column.name not in key
        and (isinstance(column.source, Property) or column.source is Platform.RECORD)
    ]
    if not columns:
        return sql.SQL("false")
    return sql.SQL("ROW({}) IS DISTINCT FROM ROW({})").format(
        commas(sql.Identifier(left, column) for column in columns),
        commas(sql.Identifier(right, column) for column in columns),
    )


# --- sequence and commit row ---------------------------------------------------------------------------------------------


def _head(dataset: Dataset) -> sql.Composed:
    return sql.SQL(
        "UPDATE sluice.dataset_heads AS h SET sequence = h.sequence + 1 FROM counts\n"
        "WHERE h.dataset = {} AND h.version = {} AND counts.inserted + counts.updated > 0\nRETURNING h.sequence"
    ).format(sql.Literal(dataset.name), sql.Literal(dataset.version))


def _committed(dataset: Dataset) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO sluice.output_commits (commit_id, dataset, version, sequence, plan_sha256, messages, records,\n"
        "  inserted, updated, unchanged, rejected, message_digest, first_sent_at, last_sent_at, senders)\n"
        "SELECT {commit_id}, {dataset}, {version}, head.sequence, {plan_sha256}, {messages}, {records},\n"
        "  counts.inserted, counts.updated, counts.unchanged, {rejected}, {digest}, {first}, {last}, {senders}\n"
        "FROM head, counts\nRETURNING sequence, committed_at"
    ).format(
        dataset=sql.Literal(dataset.name),
        version=sql.Literal(dataset.version),
        commit_id=parameter("commit_id", "uuid"),
        plan_sha256=parameter("plan_sha256", "text"),
        messages=parameter("messages", "int4"),
        records=parameter("record_count", "int4"),
        rejected=parameter("rejected", "int4"),
        digest=parameter("message_digest", "text"),
        first=parameter("first_sent_at", "timestamptz"),
        last=parameter("last_sent_at", "timestamptz"),
        senders=parameter("sender_counts", "jsonb"),
    )
