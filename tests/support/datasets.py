"""Sample datasets, built by hand as `compiler.lower` would build them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from compiler.canonical import JsonDocument, sha256
from compiler.dataset import (
    BigInt,
    Boolean,
    Bound,
    Check,
    Classification,
    Column,
    Dataset,
    Date,
    Double,
    Expression,
    Ignore,
    Index,
    IndexColumn,
    Jsonb,
    Length,
    Matches,
    MessageKey,
    Method,
    NaturalKey,
    Nulls,
    Numeric,
    OneOf,
    Order,
    Platform,
    Property,
    Text,
    Timestamptz,
    UpdateIfNewer,
    Uuid,
)
from compiler.operation import Alarms, Buffer, BufferFormat, Sink

RECORD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["org_id", "dedupe_key", "severity", "raised_at"],
    "properties": {
        "org_id": {"type": "string", "format": "uuid"},
        "dedupe_key": {"type": "string", "minLength": 1, "maxLength": 200},
        "severity": {"type": "string", "enum": ["info", "warning", "critical"]},
        "raised_at": {"type": "string", "format": "date-time"},
        "value": {"type": "number"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def _column(name: str, type_: Any, *, nullable: bool = False, **more: Any) -> Column:
    source = more.pop("source", Property(name))
    return Column(name, type_, nullable, source, Classification.INTERNAL, optional=nullable, **more)


def alert_events(**changes: Any) -> Dataset:
    """The manifest that the contracts show: a natural key, ignore, a partial index, a numeric and a jsonb column."""
    return replace(_ALERT_EVENTS, **changes)


def monitoring_events(**changes: Any) -> Dataset:
    """No natural key: the message's identity is the key."""
    changes = {
        "name": "monitoring_events",
        "uuid": UUID(int=2),
        "key": MessageKey(),
        "indexes": (),
        **changes,
    }
    return alert_events(**changes)


def integrity_signals(**changes: Any) -> Dataset:
    """One column of each type, with each kind of default, check and index; the newest signal wins."""
    return alert_events(
        **{
            "name": "integrity_signals",
            "uuid": UUID(int=3),
            "columns": _EVERY_TYPE,
            "key": NaturalKey(("id", "day")),
            "on_conflict": UpdateIfNewer("at"),
            "checks": _EVERY_CHECK,
            "indexes": _EVERY_INDEX,
            **changes,
        }
    )


_ALERT_EVENTS = Dataset(
    name="alert_events",
    version=1,
    uuid=UUID(int=1),
    owner="risk-platform",
    description="Alerts raised by any job; one row per organisation and dedupe key.",
    classification=Classification.INTERNAL,
    schema="datasets",
    record=JsonDocument.of(RECORD),
    record_sha256=sha256(RECORD),
    effective=JsonDocument.of({"allOf": [RECORD, {"properties": {"dedupe_key": {"maxLength": 200}}}]}),
    columns=(
        _column("org_id", Uuid()),
        _column("dedupe_key", Text(), description="Stable per alert"),
        _column("severity", Text()),
        _column("raised_at", Timestamptz()),
        _column("value", Numeric(12, 4), nullable=True),
        _column("labels", Jsonb(), nullable=True),
        _column("ingested_at", Timestamptz(), source=Platform.INGESTED_AT),
        _column("sender", Text(), source=Platform.SENDER),
    ),
    key=NaturalKey(("org_id", "dedupe_key")),
    on_conflict=Ignore(),
    checks=(
        Check("dedupe_key", Length(1, 200)),
        Check("severity", OneOf(('"critical"', '"info"', '"warning"'))),
    ),
    indexes=(
        Index(
            "recent",
            Method.BTREE,
            (IndexColumn("org_id"), IndexColumn("raised_at", Order.DESC, Nulls.FIRST)),
            where=Expression("severity = 'critical'"),
        ),
    ),
    producers=("monitor",),
    readers=("analytics",),
    buffer=Buffer(BufferFormat.ENVELOPE, 10, 4, 120),
    sink=Sink(2000, 200, 1, 4, 60),
    alarms=Alarms(300),
    publish_events=True,
    compatible_because=None,
    narrowings=(),
)

_EVERY_TYPE = (
    _column("id", BigInt(), default=JsonDocument.of(2**60)),
    _column("day", Date(), default=JsonDocument.of("2024-02-29")),
    _column("at", Timestamptz(), default=JsonDocument.of("2024-02-29T23:30:00.25+05:30")),
    _column("exact", Numeric(), nullable=True, default=JsonDocument.of(0.1)),
    _column("money", Numeric(12, 4), nullable=True, default=JsonDocument.of(-1.5)),
    _column("wide", Numeric(20, 1), nullable=True, default=JsonDocument.of(2**53 + 1)),
    _column("ratio", Double(), nullable=True, default=JsonDocument.of(1e300)),
    _column("flag", Boolean(), default=JsonDocument.of(value=False)),
    _column("note", Text(), default=JsonDocument.of("")),
    _column("ref", Uuid(), nullable=True, default=JsonDocument.of("00000000-0000-0000-0000-0000000000AF")),
    _column("tags", Jsonb(), default=JsonDocument.of({"b": [1, None, "x"], "a": 1.5})),
    _column("count", BigInt(), nullable=True, default=JsonDocument.of(-5)),
    _column("nothing", Text(), nullable=True, default=JsonDocument.of(None)),
)

_EVERY_CHECK = (
    Check("id", Bound(">=", "-9223372036854775808")),
    Check("id", Bound("<", "9223372036854775808")),
    Check("count", Bound(">", "0.5")),
    Check("count", OneOf(("-5", "1.5", "2", "null"))),
    Check("money", Bound("<=", "99999.99995")),
    Check("ratio", Bound("<=", "1e300")),
    Check("exact", Bound(">=", "1e-7")),
    Check("note", Length(None, 1000)),
    Check("note", Matches(r"^[a-z0-9 ]*(\.[a-z]{2,3})?$")),
    Check("flag", OneOf(("false", "true"))),
    Check("tags", OneOf(('"a"', "1", '{"a":1.5,"b":[1,null,"x"]}'))),
    Check("ref", OneOf(('"00000000-0000-0000-0000-0000000000af"',))),
    Check("sane", Expression("money < ratio OR note <> ''")),
)

_EVERY_INDEX = (
    Index("by_tag", Method.GIN, (IndexColumn("tags"),)),
    Index(
        "recent",
        Method.BTREE,
        (IndexColumn("at", Order.DESC, Nulls.LAST), IndexColumn("note", Order.ASC, Nulls.FIRST)),
        include=("money", "flag"),
    ),
    Index("open", Method.BTREE, (IndexColumn("id"),), where=Expression("flag IS NOT TRUE AND money > 1.0")),
)
