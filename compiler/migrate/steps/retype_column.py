"""Give a column another type, into which every value of its old one goes exactly, by writing the table anew."""

from __future__ import annotations

from compiler.dataset import BigInt, Numeric, Text, Uuid
from compiler.migrate.grants import view_made_anew
from compiler.migrate.model import Effort, Hazard, Lock, Mode, Step
from compiler.migrate.quoting import identifier
from compiler.migrate.state import State
from compiler.migrate.steps import widen_column
from compiler.table import TableColumn, type_name

_BIGINT_DIGITS = 19


def is_exact(old: TableColumn, new: TableColumn) -> bool:
    """Whether no value can be lost or changed: whole numbers and decimals into wider decimals, a uuid into its text."""
    match old.type, new.type:
        case (BigInt(), Numeric(None, _)) | (Uuid(), Text()):
            return True
        case BigInt(), Numeric(int() as precision, int() as scale):
            return precision - scale >= _BIGINT_DIGITS
        case Numeric(int() as fewer, int() as scale), Numeric(int() as more, int() as finer):
            return finer >= scale and more - finer >= fewer - scale
        case _:
            return False


def after(state: State, column: TableColumn) -> State:
    """As a widening leaves it."""
    return widen_column.after(state, column)


def step(state: State, column: TableColumn) -> Step:
    """Every row is written anew, and nobody reads or writes meanwhile: for a small table, with a reviewer's approval."""
    changed = after(state, column)
    return Step(
        title=f"rewrite {identifier(column.name)} as {type_name(column.type)}",
        sql=view_made_anew(state.table, *widen_column.statements(state.table, changed.table, column)),
        lock=Lock.ACCESS_EXCLUSIVE,
        effort=Effort.REWRITE,
        after=changed.fingerprint,
        mode=Mode.OWN,
        hazard=Hazard.TABLE_REWRITE,
    )
