"""Changes of one table, as data: the dataset before, the dataset after, and the titles of the expected steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from compiler.canonical import JsonDocument
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bound,
    Bytea,
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
    NaturalKey,
    Nulls,
    Numeric,
    OneOf,
    Order,
    Platform,
    Property,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from tests.support.datasets import alert_events

BASE = alert_events()
RECENT = BASE.indexes[0]


@dataclass(frozen=True)
class Case:
    """`old` and `new` are changes of the sample dataset alert_events.

    `steps` begin the titles of the steps before the new sinks, `contract` of those after them; `hazards` are of both. Where
    the rows that the tests fill a table with stand in a step's way, `mend` is the statement that helps.
    """

    name: str
    new: dict[str, Any]
    steps: list[str]
    old: dict[str, Any] = field(default_factory=dict)
    contract: list[str] = field(default_factory=list)
    hazards: tuple[str, ...] = ()
    mend: str = ""


def column(name: str, type_: Any = Text(), *, nullable: bool = True, **more: Any) -> Column:  # noqa: B008
    source = more.pop("source", Property(name))
    return Column(name, type_, nullable, source, Classification.INTERNAL, optional=nullable, **more)


def with_columns(*columns: Column) -> dict[str, Any]:
    """Record columns stand before those of the platform, so a new one comes into the middle."""
    return {"columns": (*BASE.columns[:6], *columns, *BASE.columns[6:])}


def edited(name: str, /, **changes: Any) -> dict[str, Any]:
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
            "drop check ck_value",
            "widen value to numeric(20,4)",
            "add column region",
            "add check ck_value",
            "show region in view alert_events",
            "validate check ck_value",
        ],
        old=with_checks(Check("value", Bound(">=", "0"))),
    ),
]

REWRITTEN = [
    Case(
        "whole numbers as decimals",
        with_columns(column("count", Numeric())),
        ["rewrite count as numeric"],
        old=with_columns(column("count", BigInt())),
        hazards=("table rewrite",),
    ),
    Case(
        "whole numbers as decimals, under a default and a CHECK",
        {
            **with_columns(column("count", Numeric(21, 2), default=value(3))),
            **with_checks(Check("count", Bound(">=", "1"))),
        },
        ["rewrite count as numeric(21,2)", "validate check ck_count"],
        old={
            **with_columns(column("count", BigInt(), default=value(2))),
            **with_checks(Check("count", Bound(">=", "1"))),
        },
        hazards=("table rewrite",),
    ),
    Case(
        "more decimals",
        edited("value", type=Numeric(14, 6)),
        ["rewrite value as numeric(14,6)"],
        hazards=("table rewrite",),
    ),
    Case(
        "a uuid as text, under an index",
        {
            **with_columns(column("ref", Text())),
            **with_indexes(btree("by_ref", "ref")),
        },
        ["rewrite ref as text"],
        old={**with_columns(column("ref", Uuid())), **with_indexes(btree("by_ref", "ref"))},
        hazards=("table rewrite",),
    ),
]

LOSS = ("data loss",)
DROPPED = [
    Case(
        "a nullable one",
        {},
        [],
        old=with_columns(REGION),
        contract=["drop column region"],
        hazards=LOSS,
    ),
    Case(
        "one that takes no null",
        {},
        ["let region be null"],
        old=with_columns(column("region", nullable=False)),
        contract=["drop column region"],
        hazards=LOSS,
    ),
    Case(
        "one with a default",
        {},
        [],
        old=with_columns(column("region", nullable=False, default=value("eu"))),
        contract=["drop column region"],
        hazards=LOSS,
    ),
    Case(
        "with its CHECK, its index and its description",
        {},
        ["drop check ck_region", f"drop index {NAMED('by_region')}"],
        old={
            **with_columns(column("region", description="Where")),
            **with_checks(Check("region", Length(None, 20))),
            **with_indexes(btree("by_region", "region")),
        },
        contract=["drop column region"],
        hazards=LOSS,
    ),
    Case(
        "two, and another comes",
        with_columns(column("c", BigInt())),
        ["add column c", "show c in view alert_events"],
        old=with_columns(column("a"), column("b", Jsonb())),
        contract=["drop column a", "drop column b"],
        hazards=LOSS * 2,
    ),
    Case(
        "the platform's",
        {"columns": BASE.columns[:-1]},
        ["let sender be null"],
        contract=["drop column sender"],
        hazards=LOSS,
    ),
    Case(
        "hostile name",
        {},
        [],
        old=with_columns(column('Gr\u00f6\u00dfe "%s"; -- x')),
        contract=["drop column Gr\u00f6\u00dfe %s; -- x"],
        hazards=LOSS,
    ),
]

BLOCKED = ("blocked writes",)
RENAMED = [
    Case(
        "a column",
        edited("sender", name="sent_by", renamed_from="sender"),
        ["rename column sender to sent_by"],
        hazards=BLOCKED,
    ),
    Case(
        "with its CHECK, in the key, in an index",
        {
            **edited("dedupe_key", name="alert_key", renamed_from="dedupe_key"),
            "key": NaturalKey(("org_id", "alert_key")),
            "checks": (Check("alert_key", Length(1, 200)), BASE.checks[1]),
            **with_indexes(btree("k", "alert_key", include=("sender",))),
        },
        ["rename column dedupe_key to alert_key"],
        old=with_indexes(btree("k", "dedupe_key", include=("sender",))),
        hazards=BLOCKED,
    ),
    Case(
        "and widened, in an expression and a partial index",
        {
            **edited("value", name="amount", type=Numeric(), renamed_from="value"),
            **with_checks(Check("positive", Expression("amount IS NULL OR amount >= 0"))),
        },
        [
            "rename column value to amount",
            "drop check ck_positive",
            "widen amount to numeric",
        ],
        old=with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
        contract=["add check ck_positive", "validate check ck_positive"],
        hazards=BLOCKED,
    ),
    Case(
        "the predicate's column",
        {
            **edited("severity", name="level", renamed_from="severity"),
            "checks": (BASE.checks[0], Check("level", BASE.checks[1].rule)),
            "indexes": (replace(RECENT, where=Expression("level = 'critical'")),),
        },
        [
            "rename column severity to level",
            f"create index {NAMED('recent')}_coming",
            f"mark index {NAMED('recent')}_coming with its predicate's id",
            f"replace index {NAMED('recent')}",
            f"drop index {NAMED('recent')}_going",
        ],
        hazards=BLOCKED,
    ),
    Case(
        "to a hostile name and back to none",
        edited("sender", name='a "b" %s', renamed_from="sender"),
        ["rename column sender to a b %s"],
        hazards=BLOCKED,
    ),
    Case(
        "two at once",
        {
            "columns": tuple(
                replace(c, name=f"{c.name}_2", renamed_from=c.name) if c.name in {"sender", "labels"} else c
                for c in BASE.columns
            )
        },
        ["rename column labels to labels_2", "rename column sender to sender_2"],
        hazards=BLOCKED * 2,
    ),
]

KEYS = [
    Case(
        "a column more",
        {"key": NaturalKey(("org_id", "dedupe_key", "severity"))},
        ["build the new key (org_id, dedupe_key, severity)"],
        contract=["make (org_id, dedupe_key, severity) the key"],
    ),
    Case(
        "a column less",
        {"key": NaturalKey(("dedupe_key",))},
        ["build the new key (dedupe_key)"],
        contract=["make (dedupe_key) the key"],
    ),
    Case(
        "another order",
        {"key": NaturalKey(("dedupe_key", "org_id"))},
        ["build the new key (dedupe_key, org_id)"],
        contract=["make (dedupe_key, org_id) the key"],
    ),
    Case(
        "with a column that took null",
        {**edited("value", nullable=False), "key": NaturalKey(("dedupe_key", "value"))},
        ["build the new key (dedupe_key, value)"],
        contract=[
            "add check ck_sluice_not_null_value",
            "validate check ck_sluice_not_null_value",
            "let value not be null",
            "drop check ck_sluice_not_null_value",
            "make (dedupe_key, value) the key",
        ],
    ),
    Case(
        "that rows share",
        {"key": NaturalKey(("severity",))},
        ["build the new key (severity)"],
        contract=["make (severity) the key"],
        mend="DELETE FROM datasets.alert_events_v1 WHERE dedupe_key NOT IN ('k1', 'k2', 'k3')",
    ),
    Case(
        "without a column that takes null now",
        {**edited("org_id", nullable=True), "key": NaturalKey(("dedupe_key",)), "indexes": ()},
        [f"drop index {NAMED('recent')}", "build the new key (dedupe_key)"],
        contract=["make (dedupe_key) the key", "let org_id be null"],
    ),
]

NULLS = [
    Case(
        "no more",
        edited("value", nullable=False),
        [],
        contract=[
            "add check ck_sluice_not_null_value",
            "validate check ck_sluice_not_null_value",
            "let value not be null",
            "drop check ck_sluice_not_null_value",
        ],
    ),
    Case(
        "no more, with a default",
        edited("value", nullable=False, default=value(0)),
        ["set the default of value"],
        contract=[
            "add check ck_sluice_not_null_value",
            "validate check ck_sluice_not_null_value",
            "let value not be null",
            "drop check ck_sluice_not_null_value",
        ],
    ),
    Case(
        "no more, in two columns",
        {
            "columns": tuple(
                replace(c, nullable=False) if c.name in {"value", "labels"} else c for c in BASE.columns
            )
        },
        [],
        contract=[
            "add check ck_sluice_not_null_value",
            "add check ck_sluice_not_null_labels",
            "validate check ck_sluice_not_null_value",
            "validate check ck_sluice_not_null_labels",
            "let value not be null",
            "drop check ck_sluice_not_null_value",
            "let labels not be null",
            "drop check ck_sluice_not_null_labels",
        ],
        mend="UPDATE datasets.alert_events_v1 SET labels = '{}' WHERE labels IS NULL",
    ),
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
    Case(
        "dropped where none is null",
        edited("severity", nullable=False),
        [],
        old=edited("severity", default=value("info")),
        contract=["drop the default of severity"],
    ),
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

STRICTER = [
    Case(
        "an enum loses a word",
        {"checks": (BASE.checks[0], Check("severity", OneOf(('"critical"', '"warning"'))))},
        [],
        contract=["add check ck_severity", "validate check ck_severity", "drop check ck_severity"],
        mend="DELETE FROM datasets.alert_events_v1 WHERE severity = 'info'",
    ),
    Case(
        "an enum loses one and gains another",
        {"checks": (BASE.checks[0], Check("severity", OneOf(('"critical"', '"info"', '"page"'))))},
        ["drop check ck_severity"],
        contract=["add check ck_severity", "validate check ck_severity"],
        mend="UPDATE datasets.alert_events_v1 SET severity = 'info' WHERE severity = 'warning'",
    ),
    Case(
        "a text is to be shorter",
        {"checks": (Check("dedupe_key", Length(1, 100)), SEVERITIES)},
        [],
        contract=["add check ck_dedupe_key", "validate check ck_dedupe_key", "drop check ck_dedupe_key"],
    ),
    Case(
        "a bound comes",
        with_checks(Check("value", Bound(">=", "0"))),
        [],
        contract=["add check ck_value", "validate check ck_value"],
    ),
    Case(
        "a pattern comes",
        with_checks(Check("sender", Matches("^[a-z]+$"))),
        [],
        contract=["add check ck_sender", "validate check ck_sender"],
    ),
    Case(
        "an expression comes",
        with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
        [],
        contract=["add check ck_positive", "validate check ck_positive"],
    ),
    Case(
        "an expression changes",
        with_checks(Check("positive", Expression("value IS NULL OR value > -1"))),
        ["drop check ck_positive"],
        old=with_checks(Check("positive", Expression("value IS NULL OR value >= 0"))),
        contract=["add check ck_positive", "validate check ck_positive"],
    ),
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

# A default of each type, as a manifest writes it.
EVERY_TYPE = (
    (Text(), "it's \\ %s \u00e9"),
    (BigInt(), -(2**63)),
    (Boolean(), True),
    (Numeric(12, 4), 99999999.9999),
    (Numeric(), 0.000001),
    (Double(), -1e300),
    (Date(), "0001-01-01"),
    (Timestamptz(), "2024-02-29T23:59:59.999999+15:59"),
    (Timetz(), "12:00:00+05:30"),
    (Uuid(), "00000000-0000-4000-8000-0000000000ff"),
    (Jsonb(), [1, {"a": "it's"}, None]),
    (Bytea(), "AP8="),
    (Array(Text()), ["a", "it's, {x}"]),
    (Array(BigInt()), [1, -2]),
)
EVERY = [
    case
    for type_, default in EVERY_TYPE
    for name in [str(type_).replace("()", "")]
    for case in (
        Case(
            f"{name} is given a default",
            with_columns(column("c", type_, default=value(default))),
            ["set the default of c"],
            old=with_columns(column("c", type_)),
        ),
        Case(
            f"{name} comes with a default and takes no null",
            with_columns(column("c", type_, nullable=False, default=value(default))),
            added("c"),
        ),
        Case(
            f"{name} goes",
            {},
            [],
            old=with_columns(column("c", type_, default=value(default))),
            contract=["drop column c"],
            hazards=LOSS,
        ),
    )
]
MORE_CHECKS = [
    *(
        Case(
            f"a bound {operator} moves out",
            with_checks(Check("value", Bound(operator, looser))),
            ["drop check ck_value", "add check ck_value", "validate check ck_value"],
            old=with_checks(Check("value", Bound(operator, stricter))),
        )
        for operator, stricter, looser in ((">", "0", "-0.5"), ("<", "1000", "1e6"), ("<=", "1000", "1000.5"))
    ),
    Case(
        "a text may be empty",
        {"checks": (Check("dedupe_key", Length(0, 200)), SEVERITIES)},
        ["drop check ck_dedupe_key", "add check ck_dedupe_key", "validate check ck_dedupe_key"],
    ),
    Case(
        "a pattern becomes another",
        with_checks(Check("sender", Matches("^[a-z]*$"))),
        ["drop check ck_sender"],
        old=with_checks(Check("sender", Matches("^[a-z]+$"))),
        contract=["add check ck_sender", "validate check ck_sender"],
    ),
    Case(
        "words full of quotes",
        with_checks(Check("sender", OneOf(('"$$"', '"it\\\\s"', '"x"', '"\'--"')))),
        ["drop check ck_sender", "add check ck_sender", "validate check ck_sender"],
        old=with_checks(Check("sender", OneOf(('"x"',)))),
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


def named(*groups: tuple[str, list[Case]]) -> dict[str, Case]:
    """The cases by group and name, those that need no step left out."""
    return {
        f"{group}: {case.name}": case
        for group, cases in groups
        for case in cases
        if case.steps or case.contract
    }


CASES = named(
    ("column", COLUMNS),
    ("type", TYPES),
    ("rewrite", REWRITTEN),
    ("dropped", DROPPED),
    ("renamed", RENAMED),
    ("key", KEYS),
    ("stricter", STRICTER),
    ("null", NULLS),
    ("default", DEFAULTS),
    ("comment", COMMENTS),
    ("check", CHECKS),
    ("index", INDEXES),
)
# The same kinds of steps with other types and values.
MORE_CASES = named(("every type", EVERY), ("more checks", MORE_CHECKS))
