"""Changes of one table, as data: the dataset before, the dataset after, and the titles of the expected steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from compiler.canonical import JsonDocument
from compiler.dataset import (
    BigInt,
    Boolean,
    Bound,
    Check,
    Classification,
    Column,
    Date,
    Double,
    Expression,
    Index,
    IndexColumn,
    Jsonb,
    Length,
    Matches,
    Method,
    Nulls,
    Numeric,
    OneOf,
    Order,
    Platform,
    Property,
    Text,
    Timestamptz,
    Uuid,
)
from tests.support.datasets import alert_events

BASE = alert_events()
RECENT = BASE.indexes[0]


@dataclass(frozen=True)
class Case:
    """`old` and `new` are changes of the sample dataset alert_events."""

    name: str
    new: dict[str, Any]
    steps: list[str]
    old: dict[str, Any] = field(default_factory=dict)


def column(name: str, type_: Any = Text(), *, nullable: bool = True, **more: Any) -> Column:  # noqa: B008
    source = more.pop("source", Property(name))
    return Column(name, type_, nullable, source, Classification.INTERNAL, optional=nullable, **more)


def with_columns(*columns: Column) -> dict[str, Any]:
    """Record columns stand before those of the platform, so a new one comes into the middle."""
    return {"columns": (*BASE.columns[:6], *columns, *BASE.columns[6:])}


def edited(name: str, **changes: Any) -> dict[str, Any]:
    return {"columns": tuple(replace(c, **changes) if c.name == name else c for c in BASE.columns)}


def value(value_: Any) -> JsonDocument:
    return JsonDocument.of(value_)


def with_checks(*checks: Check) -> dict[str, Any]:
    return {"checks": (*BASE.checks, *checks)}


def with_indexes(*indexes: Index) -> dict[str, Any]:
    return {"indexes": (RECENT, *indexes)}


def btree(name: str, *columns: Any, **more: Any) -> Index:
    listed = tuple(IndexColumn(c) if isinstance(c, str) else c for c in columns)
    return Index(name, Method.BTREE, listed, **more)


def added(name: str) -> list[str]:
    return [f"add column {name}", f"show {name} in view alert_events"]


REGION = column("region")
NAMED = "alert_events_v1_{}_idx".format
SEVERITIES = BASE.checks[1]

COLUMNS = [
    Case("nullable", with_columns(REGION), added("region")),
    *(
        Case(f"nullable {type(type_).__name__}", with_columns(column("c", type_)), added("c"))
        for type_ in (BigInt(), Boolean(), Date(), Double(), Jsonb(), Numeric(12, 2), Timestamptz(), Uuid())
    ),
    Case("default and nullable", with_columns(column("region", default=value("eu"))), added("region")),
    *(
        Case(
            f"NOT NULL with {default!r}",
            with_columns(column("c", type_, nullable=False, default=value(default))),
            added("c"),
        )
        for type_, default in (
            (Text(), "o'wner \\ %s"),
            (BigInt(), 2**62),
            (Boolean(), False),
            (Numeric(12, 4), -1.5),
            (Double(), 1e-300),
            (Jsonb(), {"a": [1, None, "it's"]}),
            (Date(), "2024-02-29"),
            (Timestamptz(), "2024-02-29T12:00:00Z"),
            (Uuid(), "00000000-0000-4000-8000-00000000000a"),
        )
    ),
    Case(
        "filled by the platform with now()",
        with_columns(column("seen_at", Timestamptz(), nullable=False, source=Platform.INGESTED_AT)),
        added("seen_at"),
    ),
    Case(
        "filled by the platform",
        with_columns(column("message", Uuid(), source=Platform.MESSAGE_ID)),
        added("message"),
    ),
    Case(
        "two at once",
        with_columns(column("b"), column("a", BigInt())),
        ["add column b", "add column a", "show b, a in view alert_events"],
    ),
    Case(
        "with a description",
        with_columns(column("region", description='Where; it\'s \n"quoted"')),
        [*added("region"), "comment on alert_events_v1"],
    ),
    Case("hostile name", with_columns(column("Gr\u00f6\u00dfe %s; -- x")), added("Gr\u00f6\u00dfe %s; -- x")),
    Case("a keyword as its name", with_columns(column("select")), added("select")),
    Case(
        "with CHECKs of its own",
        {**with_columns(REGION), **with_checks(Check("region", Length(None, 20)))},
        [
            "add column region",
            "add check ck_region",
            "show region in view alert_events",
            "validate check ck_region",
        ],
    ),
    Case(
        "with an index on it",
        {**with_columns(REGION), **with_indexes(btree("by_region", "region"))},
        [*added("region"), f"create index {NAMED('by_region')}"],
    ),
]

TYPES = [
    Case("more digits", edited("value", type=Numeric(14, 4)), ["widen value to numeric(14,4)"]),
    Case("no limit", edited("value", type=Numeric()), ["widen value to numeric"]),
    Case(
        "more digits under a default and CHECKs",
        {
            **edited("value", type=Numeric(20, 4), default=value(2.5)),
            **with_checks(Check("value", Bound(">=", "0"))),
        },
        ["widen value to numeric(20,4)", "validate check ck_value"],
        old={**edited("value", default=value(1.5)), **with_checks(Check("value", Bound(">=", "0")))},
    ),
    Case(
        "more digits, and the default is dropped",
        edited("value", type=Numeric(20, 4)),
        ["widen value to numeric(20,4)"],
        old=edited("value", default=value(1.5)),
    ),
    Case(
        "more digits under an expression and an index",
        {
            **edited("value", type=Numeric(20, 4)),
            **with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
            **with_indexes(btree("v", "value", include=("sender",))),
        },
        ["widen value to numeric(20,4)", "validate check ck_positive"],
        old={
            **with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
            **with_indexes(btree("v", "value", include=("sender",))),
        },
    ),
    Case(
        "more digits, another bound and another column",
        {
            "columns": (*edited("value", type=Numeric(20, 4))["columns"], REGION),
            **with_checks(Check("value", Bound(">=", "-5"))),
        },
        [
            "widen value to numeric(20,4)",
            "add column region",
            "drop check ck_value",
            "add check ck_value",
            "show region in view alert_events",
            "validate check ck_value",
        ],
        old=with_checks(Check("value", Bound(">=", "0"))),
    ),
]

NULLS = [
    Case("allowed", edited("severity", nullable=True), ["let severity be null"]),
    Case(
        "allowed, and no default any more",
        edited("severity", nullable=True),
        ["let severity be null", "drop the default of severity"],
        old=edited("severity", default=value("info")),
    ),
]

DEFAULTS = [
    Case("set", edited("value", default=value(1.5)), ["set the default of value"]),
    Case(
        "changed",
        edited("severity", default=value("info")),
        ["set the default of severity"],
        old=edited("severity", default=value("warning")),
    ),
    Case("dropped", {}, ["drop the default of value"], old=edited("value", default=value(1.5))),
    Case("null is none", edited("value", default=value(None)), [], old={}),
    Case(
        "a document",
        edited("labels", default=value({"a": "it's"})),
        ["set the default of labels"],
        old=edited("labels", default=value({})),
    ),
]

COMMENTS = [
    Case("table changed", {"description": "Other; it's."}, ["comment on alert_events_v1"]),
    Case("table dropped", {"description": ""}, ["comment on alert_events_v1"]),
    Case("table set", {}, ["comment on alert_events_v1"], old={"description": ""}),
    Case("column set", edited("value", description="How much"), ["comment on alert_events_v1"]),
    Case("column changed", edited("dedupe_key", description="x"), ["comment on alert_events_v1"]),
    Case("column dropped", edited("dedupe_key", description=None), ["comment on alert_events_v1"]),
]

CHECKS = [
    Case(
        "an enum grows",
        {
            "checks": (
                BASE.checks[0],
                Check("severity", OneOf(('"critical"', '"info"', '"page"', '"warning"'))),
            )
        },
        ["drop check ck_severity", "add check ck_severity", "validate check ck_severity"],
    ),
    Case(
        "a text may be longer",
        {"checks": (Check("dedupe_key", Length(1, 300)), SEVERITIES)},
        ["drop check ck_dedupe_key", "add check ck_dedupe_key", "validate check ck_dedupe_key"],
    ),
    Case(
        "a bound moves out",
        with_checks(Check("value", Bound(">=", "-10"))),
        ["drop check ck_value", "add check ck_value", "validate check ck_value"],
        old=with_checks(Check("value", Bound(">=", "0"))),
    ),
    Case("dropped", {"checks": (SEVERITIES,)}, ["drop check ck_dedupe_key"]),
    Case(
        "a pattern dropped",
        {},
        ["drop check ck_sender"],
        old=with_checks(Check("sender", Matches("^[a-z]+$"))),
    ),
    Case(
        "an expression dropped",
        {},
        ["drop check ck_positive"],
        old=with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
    ),
]

SENDER = btree("by_sender", "sender")
INDEXES = [
    Case("btree", with_indexes(SENDER), [f"create index {NAMED('by_sender')}"]),
    Case(
        "order and nulls",
        with_indexes(
            btree(
                "odd",
                IndexColumn("sender", Order.DESC, Nulls.LAST),
                IndexColumn("value", Order.ASC, Nulls.FIRST),
            )
        ),
        [f"create index {NAMED('odd')}"],
    ),
    Case(
        "include",
        with_indexes(btree("i", "sender", include=("value", "severity"))),
        [f"create index {NAMED('i')}"],
    ),
    Case(
        "gin",
        with_indexes(Index("inside", Method.GIN, (IndexColumn("labels"),))),
        [f"create index {NAMED('inside')}"],
    ),
    Case(
        "partial",
        with_indexes(btree("some", "sender", where=Expression("value > 10"))),
        [f"create index {NAMED('some')}", f"mark index {NAMED('some')} with its predicate's id"],
    ),
    Case("dropped", {"indexes": ()}, [f"drop index {NAMED('recent')}"]),
    Case(
        "other columns",
        {"indexes": (btree("by_sender", "sender", "value"),)},
        [
            f"create index {NAMED('by_sender')}_coming",
            f"replace index {NAMED('by_sender')}",
            f"drop index {NAMED('by_sender')}_going",
        ],
        old={"indexes": (SENDER,)},
    ),
    Case(
        "other predicate",
        {"indexes": (replace(RECENT, where=Expression("severity = 'info'")),)},
        [
            f"create index {NAMED('recent')}_coming",
            f"mark index {NAMED('recent')}_coming with its predicate's id",
            f"replace index {NAMED('recent')}",
            f"drop index {NAMED('recent')}_going",
        ],
    ),
    Case(
        "no predicate any more",
        {"indexes": (replace(RECENT, where=None),)},
        [
            f"create index {NAMED('recent')}_coming",
            f"replace index {NAMED('recent')}",
            f"drop index {NAMED('recent')}_going",
        ],
    ),
    Case(
        "another method",
        {"indexes": (Index("x", Method.GIN, (IndexColumn("labels"),)),)},
        [
            f"create index {NAMED('x')}_coming",
            f"replace index {NAMED('x')}",
            f"drop index {NAMED('x')}_going",
        ],
        old={"indexes": (btree("x", "sender"),)},
    ),
    Case(
        "two of one name's length",
        {"indexes": (btree("n" * 48, "sender"),)},
        ["create index", "replace index", "drop index"],
        old={"indexes": (btree("n" * 48, "value"),)},
    ),
    Case(
        "renamed",
        {"indexes": (replace(SENDER, name="sent_by"),)},
        [f"drop index {NAMED('by_sender')}", f"create index {NAMED('sent_by')}"],
        old={"indexes": (SENDER,)},
    ),
]

CASES = {
    f"{group}: {case.name}": case
    for group, cases in (
        ("column", COLUMNS),
        ("type", TYPES),
        ("null", NULLS),
        ("default", DEFAULTS),
        ("comment", COMMENTS),
        ("check", CHECKS),
        ("index", INDEXES),
    )
    for case in cases
    if case.steps
}
