"""Datasets made by hand: one for each conflict mode, small enough to read, with every kind of column between them."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from compiler.canonical import JsonDocument, sha256
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bytea,
    Check,
    Classification,
    Column,
    ColumnType,
    Dataset,
    Date,
    Double,
    Ignore,
    Jsonb,
    Key,
    Length,
    MessageKey,
    NaturalKey,
    Numeric,
    OnConflict,
    OneOf,
    Platform,
    Property,
    Text,
    Timestamptz,
    Timetz,
    Update,
    UpdateIfNewer,
    Uuid,
)
from compiler.operation import Alarms, Buffer, BufferFormat, Sink

_SCHEMAS: dict[type, dict[str, Any]] = {
    BigInt: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Numeric: {"type": "number"},
    Double: {"type": "number"},
    Boolean: {"type": "boolean"},
    Text: {"type": "string"},
    Uuid: {"type": "string", "format": "uuid"},
    Timestamptz: {"type": "string", "format": "date-time"},
    Date: {"type": "string", "format": "date"},
    Timetz: {"type": "string", "format": "time"},
    Bytea: {"type": "string", "contentEncoding": "base64"},
    Array: {"type": "array"},
    Jsonb: {"type": ["object", "array", "null"]},
}


def column(
    name: str,
    type_: ColumnType,
    *,
    source: str | Platform | None = None,
    required: bool = False,
    default: Any = ...,
    classification: Classification = Classification.INTERNAL,
) -> Column:
    """A column from a property of its own name, unless `source` says otherwise."""
    return Column(
        name=name,
        type=type_,
        nullable=not required,
        source=source if isinstance(source, Platform) else Property(source if source is not None else name),
        classification=classification,
        default=None if default is ... else JsonDocument.of(default),
        optional=not required,
    )


def record_schema(columns: tuple[Column, ...], details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The record's schema that the columns come from; `details` adds keywords to a property."""
    properties: dict[str, Any] = {}
    required = []
    for each in columns:
        if isinstance(each.source, Property):
            schema = dict(_SCHEMAS[type(each.type)])
            if each.nullable and isinstance(schema["type"], str):
                schema["type"] = [schema["type"], "null"]
            properties[each.source.name] = schema | details.get(each.source.name, {})
            if not each.optional:
                required.append(each.source.name)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(required),
        "properties": properties,
    }


def dataset(
    name: str,
    columns: tuple[Column, ...],
    key: Key,
    on_conflict: OnConflict,
    *,
    checks: tuple[Check, ...] = (),
    details: dict[str, dict[str, Any]] | None = None,
    buffer_format: BufferFormat = BufferFormat.ENVELOPE,
    batch_records: int = 2000,
    publish_events: bool = True,
    open_record: bool = False,
) -> Dataset:
    schema = record_schema(columns, details or {})
    if open_record:
        del schema["additionalProperties"]
    return Dataset(
        name=name,
        version=1,
        uuid=uuid5(NAMESPACE_URL, name),
        owner="risk-platform",
        description="",
        classification=Classification.INTERNAL,
        schema="datasets",
        record=JsonDocument.of(schema),
        record_sha256=sha256(schema),
        effective=JsonDocument.of({"allOf": [schema]}),
        columns=columns,
        key=key,
        on_conflict=on_conflict,
        checks=checks,
        indexes=(),
        producers=("monitor",),
        readers=("analytics",),
        buffer=Buffer(buffer_format, 10, 4, 120),
        sink=Sink(batch_records, 200, 1, 4, 60),
        alarms=Alarms(300),
        publish_events=publish_events,
        compatible_because=None,
        narrowings=(),
    )


def alert_events(**more: Any) -> Dataset:
    """A natural key, the first committed wins, CHECKs, a confidential column, platform columns."""
    return dataset(
        "alert_events",
        (
            column("org_id", Uuid(), required=True),
            column("dedupe_key", Text(), required=True),
            column("severity", Text(), required=True),
            column("raised_at", Timestamptz(), required=True),
            column("value", Numeric(12, 4)),
            column("labels", Jsonb(), classification=Classification.CONFIDENTIAL),
            column("ingested_at", Timestamptz(), source=Platform.INGESTED_AT, required=True),
            column("sender", Text(), source=Platform.SENDER, required=True),
        ),
        NaturalKey(("org_id", "dedupe_key")),
        Ignore(),
        checks=(
            Check("dedupe_key", Length(1, 200)),
            Check("severity", OneOf(('"critical"', '"info"', '"warning"'))),
        ),
        details={
            "dedupe_key": {"minLength": 1, "maxLength": 200},
            "severity": {"enum": ["info", "warning", "critical"]},
            "value": {"minimum": -99999999.9999, "maximum": 99999999.9999, "multipleOf": 0.0001},
            "labels": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        },
        **more,
    )


def integrity_signals(**more: Any) -> Dataset:
    """The newest by a column of the record wins; a nested array; a default."""
    return dataset(
        "integrity_signals",
        (
            column("subject", Text(), required=True),
            column("check_name", Text(), required=True),
            column("observed_at", Timestamptz(), required=True),
            column("score", Numeric(20, 10)),
            column("evidence", Jsonb()),
            column("state", Text(), default="open"),
            column("sent_at", Timestamptz(), source=Platform.SENT_AT, required=True),
            column("ingested_at", Timestamptz(), source=Platform.INGESTED_AT, required=True),
        ),
        NaturalKey(("subject", "check_name")),
        UpdateIfNewer("observed_at"),
        **more,
    )


def monitoring_events(**more: Any) -> Dataset:
    """No key of its own: a record is itself by its message and position. Open records, kept whole."""
    return dataset(
        "monitoring_events",
        (
            column("service", Text(), required=True),
            column("at", Timestamptz(), required=True),
            column("duration_ms", Double()),
            column("count", BigInt()),
            column("ok", Boolean()),
            column("day", Date()),
            column("labels", Jsonb()),
            column("record", Jsonb(), source=Platform.RECORD, required=True),
        ),
        MessageKey(),
        Ignore(),
        open_record=True,
        **more,
    )


def accounts(**more: Any) -> Dataset:
    """The newest delivery wins; odd property names; defaults of several types."""
    return dataset(
        "accounts",
        (
            column("id", BigInt(), required=True),
            column("name", Text(), source="Full Name %s $1"),
            column("long_name", Text(), source="x" * 70),
            column("long_number", BigInt(), source="n" * 70),
            column("long_json", Jsonb(), source="j" * 70),
            column("system", Text(), source="ctid"),
            column("nothing", Text(), source=""),
            column("line", Text(), source='a\n"b\\'),
            column("tier", Text(), default="free"),
            column("limit", BigInt(), default=10.0),
            column("rate", Numeric(6, 2), default=1.5),
            column("flags", Jsonb(), default={"a": [1]}),
            column("message_id", Uuid(), source=Platform.MESSAGE_ID, required=True),
            column("ingested_at", Timestamptz(), source=Platform.INGESTED_AT, required=True),
        ),
        NaturalKey(("id",)),
        Update(),
        **more,
    )


def documents(on_conflict: OnConflict = Update(), **more: Any) -> Dataset:  # noqa: B008 - frozen
    """Bytes in the key, times of day, arrays; with names that the recordset cannot read, and defaults."""
    return dataset(
        "documents",
        (
            column("digest", Bytea(), required=True),
            column("revision", BigInt(), required=True),
            column("opens", Timetz()),
            column("tags", Array(Text())),
            column("sizes", Array(BigInt())),
            column("seen", Array(Timestamptz())),
            column("thumb", Bytea(), source="t" * 70),
            column("closes", Timetz(), source="c" * 70),
            column("labels", Array(Text()), source="l" * 70),
            column("counts", Array(BigInt()), source="ctid"),
            column("seal", Bytea(), default="aGk="),
            column("noon", Timetz(), default="12:00:00+05:30"),
            column("groups", Array(Text()), default=["a", 'NULL"\\', None]),
            column("steps", Array(BigInt()), default=[1, 2.0]),
            column("ingested_at", Timestamptz(), source=Platform.INGESTED_AT, required=True),
        ),
        NaturalKey(("digest",)),
        on_conflict,
        **more,
    )
