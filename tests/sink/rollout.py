"""Two plans of one dataset against every catalog between their tables: what a rollout, or a rollback, may meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.sql import SQL

from compiler.canonical import JsonDocument
from compiler.dataset import (
    BigInt,
    Boolean,
    Bound,
    Column,
    ColumnType,
    Dataset,
    Date,
    Double,
    Jsonb,
    Length,
    Matches,
    Numeric,
    OneOf,
    Property,
    Text,
    Timestamptz,
    Uuid,
)
from compiler.emit.sink import sink_plan
from compiler.migrate import session
from compiler.migrate.apply import apply_chain
from compiler.migrate.model import Chain, Mode, Phase
from compiler.migrate.run import parts
from sink_runtime.postgres.database import Connection
from sink_runtime.postgres.errors import Action, DatabaseFault
from sink_runtime.postgres.served import mismatches
from sink_runtime.postgres.writer import Writer
from tests.migrate.cases import Case
from tests.migrate.changing import grown
from tests.migrate.conftest import Database, chain_of, writer
from tests.sink.messages import Message
from tests.sink.store import Store
from tests.support.datasets import alert_events

TABLE = "datasets.alert_events_v1"
# Before the new sinks, those of the old plan wait for what these changes exchange at one moment.
MAY_WAIT = ("type: ", "rewrite: ", "renamed: ", "key: ")
OPEN = JsonDocument.of({"type": "object"})  # the records below are valid as they are made


@dataclass(frozen=True)
class Catalog:
    """A place between two tables: before the first step, after a transaction, or after a file's last one."""

    title: str
    phase: Phase | None
    ends: bool


@dataclass
class Running:
    """A sink of one plan with the connection that it keeps."""

    store: Store
    records: list[dict[str, Any]]
    connection: Connection | None = field(default=None)

    def mismatches(self) -> list[str]:
        """What a sink that starts now would wait for."""
        with self.store.connect() as connection:
            return [one.text for one in mismatches(connection, self.store.plan)]

    def write(self) -> str:
        """What becomes of a batch: `written`, `refused …`, or what the sink does about the error."""
        for _ in range(2):
            self.connection = self.connection or self.store.connect()
            try:
                message = Message(tuple(self.records), self.store.plan.dataset, sender="monitor")
                plan = self.store.plan
                written = Writer(plan, plan.sha256).write(self.connection, self.store.batch(message))
            except DatabaseFault as fault:
                self.close()
                if fault.action is Action.RECONNECT:
                    continue
                return f"{fault.action} {fault.diagnosis}"
            return f"refused {written.refused}" if written.refused else "written"
        return "reconnects in vain"

    def close(self) -> None:
        """End its session."""
        if self.connection:
            self.connection.close()
        self.connection = None


def running(store: Store, dataset: Dataset) -> Running:
    """A sink of the dataset's plan, with records of every value that its columns and CHECKs set a limit to."""
    plan = sink_plan(replace(dataset, effective=OPEN), ())
    return Running(replace(store, dataset=dataset, plan=plan), records(dataset))


def catalogs(connection: Any, chain: Chain) -> Iterator[Catalog]:
    """Run the chain's later files, transaction by transaction."""
    yield Catalog("before", None, ends=False)
    for file in chain.files[1:]:
        last = len(file.migration.steps)
        for part in parts(file.migration.steps):
            if part[0][1].mode is Mode.NONE:
                connection.execute(SQL(part[0][1].sql))
            else:
                with connection.transaction():
                    for _, step in part:
                        connection.execute(SQL(step.sql))
            number, step = part[-1]
            yield Catalog(f"{file.name} {number}: {step.title}", file.migration.phase, ends=number == last)


def faults(database: Database, store: Store, name: str, case: Case) -> Iterator[tuple[Any, ...]]:
    """Where a record was refused, or a sink waited that should have worked."""
    before, after = alert_events(**case.old), alert_events(**case.new)
    apply_chain(database.conninfo, chain_of(before), writer(before))
    database.execute(f"GRANT SELECT, INSERT ON {TABLE} TO {writer(before)}")
    old, new = running(store, before), running(store, after)
    with session.connect(database.conninfo) as connection:
        session.become_owner(connection)
        for catalog in catalogs(connection, grown(chain_of(before), after)):
            became = old.write()  # it runs on, whatever it would be told at its start
            if became.startswith("refused"):
                yield catalog.title, "old", became
            works_on = catalog.phase is not Phase.CONTRACT and not name.startswith(MAY_WAIT)
            if works_on and (became != "written" or old.mismatches()):
                yield catalog.title, "old", became, old.mismatches()
            database.execute(f"DELETE FROM {TABLE}")
            waits = new.mismatches()
            became = "waits" if waits else new.write()
            if became.startswith("refused"):
                yield catalog.title, "new", became
            if catalog.ends and became != "written" and not name.startswith("key: "):
                yield catalog.title, "new", became, waits
            database.execute(f"DELETE FROM {TABLE}")
    old.close()
    new.close()


# --- records --------------------------------------------------------------------------------------------------------


def records(dataset: Dataset) -> list[dict[str, Any]]:
    """Full ones, each value in turn, and one with nothing that may be missing."""
    columns = [one for one in dataset.columns if isinstance(one.source, Property)]
    values = {one.source.name: _values(one, dataset) for one in columns}
    count = max(map(len, values.values()))
    found = [{name: many[number % len(many)] for name, many in values.items()} for number in range(count)]
    required = {one.source.name for one in columns if not one.nullable and one.default is None}
    found.append({name: value for name, value in found[0].items() if name in required})
    found.append({one.source.name: None if one.nullable else found[0][one.source.name] for one in columns})
    return [{**record, "org_id": str(UUID(int=number))} for number, record in enumerate(found)]


def _values(column: Column, dataset: Dataset) -> list[Any]:
    found = _plain(column.type)
    for check in dataset.checks:
        if check.column == column.name:
            match check.rule:
                case OneOf(values):
                    found = [JsonDocument(value).value for value in values]
                case Length(minimum, maximum):
                    found = ["k" * max(1, minimum or 0), "k" * (maximum or 10)]
                case Bound(_, value):
                    found = [float(Decimal(value) + 1), 12.5]
                case Matches():
                    found = ["abc"]
    return found


def _plain(type_: ColumnType) -> list[Any]:
    match type_:
        case BigInt():
            return [1, 2**63 - 1]
        case Numeric(int() as precision, int() as scale):
            return [1.5, 10 ** (precision - scale) - 1]
        case Numeric() | Double():
            return [1.5, 10**14]
        case Boolean():
            return [True, False]
        case Text():
            return ["x", "y" * 500]
        case Uuid():
            return [str(UUID(int=7)), str(UUID(int=8))]
        case Timestamptz():
            return [(datetime(2024, 5, 1, tzinfo=UTC) + timedelta(days=day)).isoformat() for day in range(4)]
        case Date():
            return ["2024-02-29"]
        case Jsonb():
            return [{"a": "b"}]
        case _:
            return []
