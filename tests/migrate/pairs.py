"""Hypothesis strategies for a table and one that it can be changed into while it is used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import strategies as st

from compiler import names
from compiler.dataset import BigInt, Bound, Expression, Jsonb, Length, Numeric, OneOf, Text, Uuid
from compiler.migrate.quoting import identifier
from compiler.migrate.steps.widen_column import in_the_way
from compiler.table import Table, TableCheck, View, check_id, default_json
from tests.migrate.strategies import columns, comment_texts, defaults, identifiers, indexes, rules, tables


@dataclass(frozen=True)
class Pair:
    """Two tables, and the old name of each column that is renamed by its new one."""

    old: Table
    new: Table
    renames: dict[str, str]

    @property
    def back(self) -> Pair:
        """The way back."""
        return Pair(self.new, self.old, {old: new for new, old in self.renames.items()})


@st.composite
def pairs(draw):
    """Columns come, go and are renamed, required, rewritten; CHECKs are loosened and tightened; the key is another."""
    old = draw(tables())
    names_ = draw(fates(old))
    changed = {name: draw(changed_columns(old, name, to)) for name, to in names_.items()}
    taken = {column.name for column in (*old.columns, *changed.values())}
    more = draw(st.lists(identifiers.filter(lambda name: name not in taken), max_size=2, unique=True))
    added = tuple(draw(columns(name).filter(_can_be_added)) for name in more)
    made = (*changed.values(), *added)
    fit = (*changed.values(), *(one for one in added if not one.nullable))
    key = draw(keys(tuple(names_[name] for name in old.key), fit))
    made = tuple(replace(one, nullable=one.nullable and one.name not in key) for one in made)
    shown = [column.name for column in made if not column.name.startswith(names.RESERVED_COLUMN_PREFIX)]
    new = Table(
        schema=old.schema,
        name=old.name,
        columns=made,
        key=key,
        checks=draw(changed_checks(old, names_, made)),
        indexes=draw(indexes(made, old.name)),
        view=View(old.view.name, tuple(draw(st.permutations(shown)))),
        comment=draw(st.none() | comment_texts),
    )
    return Pair(old, new, {to: name for name, to in names_.items() if to != name})


@st.composite
def fates(draw, old):
    """The new name of each column that stays, by its old one."""
    taken = {column.name for column in old.columns}
    found = {}
    for number, column in enumerate(old.columns):
        fixed = column.name.startswith(names.RESERVED_COLUMN_PREFIX)
        fate = "keep" if fixed else draw(st.sampled_from(["keep", "keep", "keep", "rename", "drop"]))
        if fate == "drop" and number and column.name not in old.key:
            continue  # a view shows a column at least
        name = column.name
        if fate == "rename":
            name = draw(identifiers.filter(lambda one: one not in taken))
            taken.add(name)
        found[column.name] = name
    return found


@st.composite
def changed_columns(draw, old, name, to):
    """A column under its new name; its type only gets wider, and no partial index stands in the way of that."""
    column = next(one for one in old.columns if one.name == name)
    if name.startswith(names.RESERVED_COLUMN_PREFIX):
        return column
    type_ = column.type if in_the_way(old, name) else draw(wider_types(column.type))
    default = draw(st.just(column.default) if type_ == column.type else defaults(type_))
    return replace(
        column,
        name=to,
        type=type_,
        nullable=draw(st.sampled_from([column.nullable, column.nullable, not column.nullable])),
        default=draw(st.just(default) | defaults(type_)),
        comment=draw(st.just(column.comment) | st.none() | comment_texts),
    )


@st.composite
def wider_types(draw, type_):
    """The type, or one that takes all of its values exactly."""
    match type_:
        case BigInt():
            return draw(st.sampled_from([type_, Numeric(), Numeric(21, 2)]))
        case Numeric(int() as precision, int() as scale):
            more, finer = draw(st.integers(0, 5)), draw(st.sampled_from([0, 0, 2]))
            return draw(st.sampled_from([type_, Numeric(), Numeric(precision + more + finer, scale + finer)]))
        case Uuid():
            return draw(st.sampled_from([type_, Text()]))
        case _:
            return type_


@st.composite
def keys(draw, key, columns_):
    """The old key, or another one of columns that may be in it."""
    fit = [one.name for one in columns_ if not isinstance(one.type, Jsonb)]
    other = st.lists(st.sampled_from(fit), min_size=1, max_size=3, unique=True).map(tuple)
    return draw(st.sampled_from([key, draw(other)]))


@st.composite
def changed_checks(draw, old, names_, made):
    """Some as they were, some gone, loosened or tightened, some new."""
    types = {column.name: column for column in made}
    found = {}
    for check in old.checks:
        to = names_.get(check.column)
        if to is not None and draw(st.booleans()):
            _put(found, to, draw(changed_rules(check, to)))
    for column in draw(st.lists(st.sampled_from(list(types.values())), max_size=2)):
        _put(found, column.name, draw(rules(column)))
    return tuple(found[name] for name in sorted(found))


def _put(found, column, rule):
    name = names.check(column, check_id(column, rule))
    found[name] = TableCheck(name, rule, column)


@st.composite
def changed_rules(draw, check, to):
    by = draw(st.sampled_from([0, 0, 1, -1]))  # looser by one, or stricter
    match check.rule:
        case OneOf(values) if by < 0 and len(values) > 1:
            return OneOf(values[1:])
        case OneOf(values) if by > 0:
            return OneOf(tuple(sorted({*values, '"more"'})))
        case Length(minimum, maximum):
            return Length(max(0, (minimum or 0) - by), maximum + by)
        case Bound(operator, value):
            return Bound(operator, str(Decimal(value) + (-by if operator.startswith(">") else by)))
        case Expression(sql):
            return Expression(sql.replace(identifier(check.column), identifier(to)))
        case rule:
            return rule


def _can_be_added(column):
    return column.nullable or default_json(column) is not None
