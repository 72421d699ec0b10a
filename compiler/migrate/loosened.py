"""Does a CHECK admit all that another one admits? Told by structure alone: what cannot be seen so is taken for no."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from compiler.dataset import Bound, Length, OneOf, Rule
from compiler.table import TableCheck


def is_loosened(old: Iterable[TableCheck], check: TableCheck) -> bool:
    """Whether one of the old CHECKs already held the rows to what the new one asks for, or to more."""
    return any(one.column == check.column and covers(check.rule, one.rule) for one in old)


def covers(new: Rule, old: Rule) -> bool:
    """Whether every value that `old` admits is one that `new` admits."""
    match new, old:
        case OneOf(values), OneOf(fewer):
            return set(fewer) <= set(values)
        case Length(low, high), Length(old_low, old_high):
            return _covers_low(low, old_low) and _covers_high(high, old_high)
        case Bound(operator, value), Bound(same, other) if operator == same:
            bound, stricter = Decimal(value), Decimal(other)
            return bound <= stricter if operator.startswith(">") else bound >= stricter
        case _:
            return new == old


def _covers_low(new: int | None, old: int | None) -> bool:
    return new is None or (old is not None and new <= old)


def _covers_high(new: int | None, old: int | None) -> bool:
    return new is None or (old is not None and new >= old)
