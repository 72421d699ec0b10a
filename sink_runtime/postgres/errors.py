"""What each Postgres error means to the sink, as data: the first row that fits decides.

Only an error of the data statement can blame a record. An outage or a mistake in the configuration never sends a
message to the dead-letter queue, however long it lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import psycopg

from sink_runtime.faults import Fault
from sink_runtime.plan import SinkPlan


class Action(StrEnum):
    """What the sink does about it."""

    RETRY = "retry"  # outage or contention: hold the batch, receive nothing, try again on a fresh connection
    RECONNECT = "reconnect"  # the session lost its state: the same, at once
    CREDENTIALS = "credentials"  # fetch fresh ones, twice; then as PAUSE
    PAUSE = "pause"  # configuration, skew, or unknown: alarm, and probe again with backoff
    RECORD = "record"  # a record is to blame: find it, reject it, write the others
    TOO_SLOW = "too_slow"  # our own statement timeout: halve the batch


class Blame(StrEnum):
    """What the error's diagnostics must name for a row to fit."""

    ANY = "any"
    OWN = "own"  # a constraint that the plan lists, or a column that takes no null by the plan either


@dataclass(frozen=True)
class Row:
    """One row of the table. `prefixes` are SQLSTATEs or their first characters."""

    prefixes: tuple[str, ...]
    blame: Blame
    action: Action
    meaning: str


TABLE: tuple[Row, ...] = (
    Row(("57014",), Blame.ANY, Action.TOO_SLOW, "cancelled by our own statement_timeout"),
    Row(("26000", "42P05", "0A000"), Blame.ANY, Action.RECONNECT, "prepared statement or cached plan lost"),
    Row(
        ("08", "40", "53", "55", "57P0", "58", "25006", "25P03"),
        Blame.ANY,
        Action.RETRY,
        "outage or contention",
    ),
    Row(("28",), Blame.ANY, Action.CREDENTIALS, "the login is refused"),
    Row(("42", "3D", "3F"), Blame.ANY, Action.PAUSE, "grants, names or the plan do not fit the database"),
    Row(("22",), Blame.ANY, Action.RECORD, "a value that its column cannot hold"),
    Row(("23502", "23503", "23514"), Blame.OWN, Action.RECORD, "a value that the table's own rules forbid"),
    Row(("23",), Blame.ANY, Action.PAUSE, "a constraint or column that the plan does not know"),
    Row(("54000", "54001"), Blame.ANY, Action.RECORD, "a value too large or too deep"),
    Row(("P0001",), Blame.ANY, Action.RECORD, "raised by a function"),
    Row(("",), Blame.ANY, Action.PAUSE, "unknown"),
)


@dataclass(frozen=True)
class Diagnosis:
    """What a Postgres error says that may be repeated: SQLSTATE, column and constraint, never its message or detail.

    `sqlstate` is empty where the server was not reached or the connection was lost.
    """

    sqlstate: str
    column: str | None
    constraint: str | None
    relation: tuple[str, str] | None = None  # schema and table; None where the server names none

    @classmethod
    def of(cls, error: psycopg.Error) -> Diagnosis:
        """The diagnosis of a driver's error."""
        found = error.diag
        relation = (found.schema_name or "", found.table_name) if found.table_name else None
        return cls(error.sqlstate or "", found.column_name, found.constraint_name, relation)

    def __str__(self) -> str:
        named = [name for name in (self.column, self.constraint) if name]
        return " ".join([self.sqlstate or "no connection", condition(self.sqlstate), *named]).strip()


def condition(sqlstate: str) -> str:
    """The condition's name as psycopg has it, `CheckViolation`; empty where it has none."""
    try:
        return psycopg.errors.lookup(sqlstate).__name__
    except KeyError:
        return ""


def action_for(diagnosis: Diagnosis, plan: SinkPlan, *, of_data: bool) -> Action:
    """The table's answer. `of_data`: the error is the data statement's own, so that it may blame a record."""
    if not diagnosis.sqlstate:
        return Action.RETRY
    row = next(row for row in TABLE if _fits(row, diagnosis, plan))
    if row.action is Action.RECORD and not of_data:
        return Action.PAUSE
    return row.action


def _fits(row: Row, diagnosis: Diagnosis, plan: SinkPlan) -> bool:
    if not diagnosis.sqlstate.startswith(row.prefixes):
        return False
    return row.blame is Blame.ANY or _is_own(diagnosis, plan)


def _is_own(diagnosis: Diagnosis, plan: SinkPlan) -> bool:
    if diagnosis.relation not in (None, (plan.relation_schema, plan.relation)):
        return False  # of a table that a trigger writes to
    if diagnosis.constraint is not None:
        return diagnosis.constraint in plan.constraints
    # A null that the plan admits is no fault of its record: the table has become stricter than the plan.
    return any(diagnosis.column == column.name and not column.nullable for column in plan.columns)


class DatabaseFault(Fault):
    """A Postgres error, translated at the one edge where the driver is called."""

    def __init__(self, diagnosis: Diagnosis, action: Action) -> None:
        alarm = action not in (Action.RETRY, Action.RECONNECT)
        super().__init__("postgres", str(diagnosis), alarm=alarm)
        self.diagnosis = diagnosis
        self.action = action

    @classmethod
    def of(cls, error: psycopg.Error, plan: SinkPlan, *, of_data: bool = False) -> DatabaseFault:
        """The fault that a driver's error is to the sink of this plan; `of_data` as in `action_for`."""
        diagnosis = Diagnosis.of(error)
        return cls(diagnosis, action_for(diagnosis, plan, of_data=of_data))

    @classmethod
    def mass_refusal(cls, sqlstate: str, by: str, refused: int, records: int) -> DatabaseFault:
        """Most of a batch is refused by one SQLSTATE: what refuses them is at fault until a person says otherwise.

        `by` is the condition, and the constraint or column where Postgres names one.
        """
        fault = cls(Diagnosis(sqlstate, None, None), Action.PAUSE)
        fault.text = f"{sqlstate} {by} refuses at least {refused} of {records} records that the effective schema admits"
        return fault
