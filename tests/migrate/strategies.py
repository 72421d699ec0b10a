"""Hypothesis strategies for tables, hostile names and texts included."""

from __future__ import annotations

from base64 import b64encode
from datetime import date, datetime, time

from hypothesis import strategies as st

from compiler import names
from compiler.canonical import JsonDocument
from compiler.dataset import (
    Array,
    BigInt,
    Boolean,
    Bound,
    Bytea,
    Date,
    Double,
    Expression,
    Index,
    IndexColumn,
    Integer,
    Jsonb,
    Length,
    Method,
    Nulls,
    Numeric,
    OneOf,
    Order,
    Text,
    Timestamptz,
    Timetz,
    Uuid,
)
from compiler.migrate.quoting import identifier
from compiler.table import Function, Table, TableCheck, TableColumn, TableIndex, View, check_id

OFFSETS = st.sampled_from(["Z", "+05:30", "-11:00", "+00:00"])
# Postgres holds no U+0000, JSON no lone surrogate.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
hostile = st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "$$",
        "%s",
        "%",
        "\n-- step 2: x",
        "\r\n",
        "é",
        "\u202e",
        "😀",
        ";",
        "--",
        "/*",
        "{}",
        "\t",
    ]
)
comment_texts = st.lists(texts | hostile, max_size=4).map("".join)
printable = st.characters(
    exclude_categories=["Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp"], exclude_characters="\0"
)
identifiers = st.text(printable, min_size=1, max_size=15).filter(
    lambda name: (
        name.isprintable() and len(name.encode()) <= 40 and not name.startswith(names.RESERVED_COLUMN_PREFIX)
    )
)
column_types = st.one_of(
    st.sampled_from(
        [BigInt(), Integer(), Double(), Boolean(), Text(), Uuid(), Timestamptz(), Date(), Jsonb(), Numeric()]
    ),
    st.tuples(st.integers(1, 30), st.integers(0, 10))
    .filter(lambda ps: ps[1] <= ps[0])
    .map(lambda ps: Numeric(*ps)),
    st.sampled_from([Timetz(), Bytea()]),
    st.sampled_from([BigInt(), Numeric(), Boolean(), Text(), Uuid(), Timestamptz(), Date()]).map(Array),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e30, 1e30) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


PLAIN_DEFAULTS = {
    Boolean(): st.booleans(),
    Uuid(): st.uuids().map(str),
    Date(): st.dates().map(date.isoformat),
    Timetz(): st.tuples(st.times().map(time.isoformat), OFFSETS).map("".join),
    Bytea(): st.binary(max_size=40).map(lambda value: b64encode(value).decode()),
}


@st.composite
def defaults(draw, type_):
    """A default of the type, a function, or none."""
    match type_:
        case BigInt():
            value = draw(st.integers(-(2**63), 2**63 - 1))
        case Integer():
            value = draw(st.integers(-(2**31), 2**31 - 1))
        case Double():
            value = draw(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
        case Numeric(precision, scale):
            limit = 10 ** ((precision or 10) - (scale or 0)) - 1
            value = draw(st.integers(-limit, limit))
        case Text():
            value = draw(comment_texts)
        case Timestamptz():
            if draw(st.booleans()):
                return Function.NOW
            value = draw(st.datetimes(min_value=datetime(2, 1, 1))).isoformat() + draw(OFFSETS)  # noqa: DTZ001
        case Array(element):
            items = draw(st.lists(defaults(element), max_size=3))
            value = [item.value if isinstance(item, JsonDocument) else None for item in items]
        case _:
            value = draw(PLAIN_DEFAULTS.get(type_, json_values))
    return draw(st.sampled_from([None, JsonDocument.of(value)]))


@st.composite
def columns(draw, name):
    type_ = draw(column_types)
    return TableColumn(
        name, type_, draw(st.booleans()), draw(defaults(type_)), draw(st.none() | comment_texts)
    )


@st.composite
def rules(draw, column):
    match column.type:
        case Text():
            return draw(
                st.lists(comment_texts, min_size=1, max_size=4).map(
                    lambda many: OneOf(tuple(sorted({JsonDocument.of(one).text for one in many})))
                )
                | st.tuples(st.integers(0, 10), st.integers(10, 1000)).map(lambda ends: Length(*ends))
            )
        case BigInt() | Integer() | Double() | Numeric():
            return draw(
                st.builds(
                    Bound,
                    st.sampled_from([">=", ">", "<=", "<"]),
                    st.decimals(-(2**70), 2**70, allow_nan=False, places=3).map(str),
                )
            )
        case _:
            return Expression(f"{identifier(column.name)} IS NOT NULL OR true")


@st.composite
def tables(draw):
    found = draw(st.lists(identifiers, min_size=1, max_size=6, unique=True))
    made = tuple(draw(columns(name)) for name in found)
    key = tuple(
        column.name for column in made if not column.nullable and not isinstance(column.type, Jsonb | Array)
    )[:2]
    if not key:
        made = (*made, TableColumn(names.MESSAGE_ID_COLUMN, Uuid(), nullable=False))
        key = (names.MESSAGE_ID_COLUMN,)
    checks = {}
    for column in draw(st.lists(st.sampled_from(made), max_size=3)):
        rule = draw(rules(column))
        name = names.check(column.name, check_id(column.name, rule))
        checks[name] = TableCheck(name, rule, column.name)
    shown = tuple(column.name for column in made if not column.name.startswith(names.RESERVED_COLUMN_PREFIX))
    base = "t_v1"
    return Table(
        schema=draw(st.sampled_from(["datasets", 'da"ta%s'])),
        name=base,
        columns=made,
        key=key,
        checks=tuple(checks[name] for name in sorted(checks)),
        indexes=draw(indexes(made, base)),
        view=View("t", shown),
        comment=draw(st.none() | comment_texts),
    )


@st.composite
def predicates(draw, made):
    """One that reads a column, or none."""
    read = identifier(draw(st.sampled_from(made)).name)
    return Expression(draw(st.sampled_from(["1 = 1 AND 'a%s' <> 'b''c'", f"{read} IS NOT NULL"])))


@st.composite
def indexes(draw, made, base):
    plain = [column.name for column in made if not isinstance(column.type, Jsonb | Array)]
    documents = [column.name for column in made if isinstance(column.type, Jsonb | Array)]
    found = []
    if plain and draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3, unique=True))
        many = tuple(
            IndexColumn(name, draw(st.sampled_from(Order)), draw(st.sampled_from(Nulls))) for name in chosen
        )
        rest = tuple(name for name in plain if name not in chosen)[: draw(st.integers(0, 2))]
        where = draw(predicates(made)) if draw(st.booleans()) else None
        found.append(Index("many", Method.BTREE, many, rest, where))
    if documents:
        found.append(Index("inside", Method.GIN, (IndexColumn(documents[0]),)))
    physical = (TableIndex(names.index(base, index.name), index) for index in found)
    return tuple(sorted(physical, key=lambda index: index.name))
