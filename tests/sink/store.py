"""A database with one dataset's table, made by its own migration, and the login of its sink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from compiler import names
from compiler.dataset import Dataset, Ignore
from compiler.migrate import session
from compiler.migrate.apply import apply_chain, apply_control
from compiler.migrate.model import Chain
from compiler.migrate.planner import Create
from compiler.migrate.planner import plan as plan_migration
from compiler.migrate.steps.register import Registration
from compiler.table import table_of
from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.batch import Batch
from sink_runtime.postgres.database import Connection, Database
from sink_runtime.postgres.writer import Committed, Writer
from sink_runtime.records.admission import Admission
from sink_runtime.settings import Settings
from tests.sink.messages import Message

PREFIX = "test"
PASSWORD = "sink's own 'password'\\"  # whatever a generator may come up with


@dataclass(frozen=True)
class Store:
    """One dataset in one database: the superuser's connection, the sink's settings, the plan."""

    admin: psycopg.Connection[Any]
    dataset: Dataset
    plan: SinkPlan
    settings: Settings

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier(self.plan.relation_schema, self.plan.relation)

    def database(self) -> Database:
        return Database(
            self.settings, self.plan, lambda: {"username": login(self.dataset), "password": PASSWORD}
        )

    def connect(self) -> Connection:
        return self.database().connect()

    def execute(self, statement: str) -> None:
        self.admin.execute(sql.SQL(statement))

    def fetch(self, statement: str) -> list[Any]:
        return self.admin.execute(sql.SQL(statement)).fetchall()

    def rows(self, *columns: str) -> list[Any]:
        """The table's rows in key order; all declared columns where none is named."""
        listed = [sql.Identifier(name) for name in columns or [column.name for column in self.plan.columns]]
        key = sql.SQL(", ").join(map(sql.Identifier, self.plan.key))
        query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(sql.SQL(", ").join(listed), self.table, key)
        return self.admin.execute(query).fetchall()

    def commits(
        self, columns: str = "sequence, records, inserted, updated, unchanged, rejected"
    ) -> list[Any]:
        return self.fetch(f"SELECT {columns} FROM sluice.output_commits ORDER BY dataset, version, sequence")

    def clear(self) -> None:
        self.admin.execute(sql.SQL("DELETE FROM {}").format(self.table))
        self.admin.execute("DELETE FROM sluice.output_commits")
        self.admin.execute("UPDATE sluice.dataset_heads SET sequence = 0")

    def batch(self, *messages: Message) -> Batch:
        admission = Admission(self.plan)
        return Batch.of([admission.read(message.received()) for message in messages])

    def write(self, connection: Connection, *messages: Message) -> Committed:
        """Write messages of which Postgres refuses nothing."""
        written = Writer(self.plan, self.plan.sha256).write(connection, self.batch(*messages))
        assert not written.refused
        [committed] = written.commits
        return committed


def login(dataset: Dataset) -> str:
    return names.sink_login(PREFIX, dataset.name)


def settings_of(conninfo: dict[str, Any], **more: Any) -> Settings:
    settings = Settings(
        environment="test",
        plan="plan.json",
        buffer_url="http://127.0.0.1:1/123456789012/buffer",
        dead_letter_url="http://127.0.0.1:1/123456789012/dlq",
        topic_arn=None,
        database_host=conninfo["host"],
        database_port=conninfo["port"],
        database_name=conninfo["dbname"],
        database_sslmode="disable",
        database_secret_arn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:sink",
        region="eu-central-1",
        endpoint_url=None,
        log_format="json",
    )
    return replace(settings, **more)


def bring_up(conninfo: dict[str, Any], dataset: Dataset) -> None:
    """The table by its first migration; roles and grants as the Pulumi program makes them."""
    table = table_of(dataset)
    planned = plan_migration(
        None, table, Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)
    )
    assert isinstance(planned, Create), planned
    with session.connect(conninfo) as connection:
        apply_control(connection, [dataset.schema])
    writer = names.writer_role(PREFIX, dataset.name)
    _execute(
        conninfo,
        sql.SQL("CREATE ROLE {} NOLOGIN IN ROLE {}").format(
            sql.Identifier(writer), sql.Identifier(names.SINK_GROUP_ROLE)
        ),
    )
    chain = Chain(dataset.name, dataset.version, tuple(one.file for one in planned.files), table)
    apply_chain(conninfo, chain, writer, dataset.owner)
    rights = (
        ["INSERT", "SELECT"] if isinstance(dataset.on_conflict, Ignore) else ["INSERT", "SELECT", "UPDATE"]
    )
    _execute(
        conninfo,
        sql.SQL("GRANT {} ON {} TO {}").format(
            sql.SQL(", ".join(rights)), sql.Identifier(table.schema, table.name), sql.Identifier(writer)
        ),
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
            sql.Identifier(login(dataset)), sql.Literal(PASSWORD), sql.Identifier(writer)
        ),
    )


def _execute(conninfo: dict[str, Any], *statements: sql.Composed) -> None:
    with psycopg.connect(**conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
