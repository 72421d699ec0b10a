"""A dataset that changes: its chain grown by what `sluice plan` writes next, and rows to change it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.dataset import Dataset
from compiler.migrate import renames
from compiler.migrate.approve import approved
from compiler.migrate.model import Chain
from compiler.migrate.planner import Change, plan
from compiler.migrate.steps.register import Registration
from compiler.table import Table, table_of
from tests.migrate.conftest import Database

ROWS = 300
# Rows as alert_events' first migration takes them.
FILL = f"""
INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, value, sender)
SELECT gen_random_uuid(), 'k' || n, (ARRAY['info', 'warning', 'critical'])[n % 3 + 1], now(), n, 'x'
FROM generate_series(1, {ROWS}) AS n"""


def registration(dataset: Dataset) -> Registration:
    """The dataset as its first migration registers it."""
    return Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner)


def grown(
    chain: Chain, dataset: Dataset, table: Table | None = None, hints: Mapping[str, str] | None = None
) -> Chain:
    """The chain with the next migrations, approved, which take it to the dataset's table, or to the one given.

    `hints` are the renames, the old column name by the new one; by default those that the dataset asks for.
    """
    table = table or table_of(dataset)
    wanted = renames.wanted(dataset, chain) if hints is None else hints
    planned = plan(chain, table, registration(dataset), wanted)
    assert isinstance(planned, Change), planned
    longer = replace(chain, files=(*chain.files, *(one.file for one in planned.files)), table=planned.table)
    steps = [
        (file.migration.number, number) for file in longer.files for number, _ in file.migration.unapproved()
    ]
    changed = {file.name: file for file, _ in approved(longer, steps, "It is a test.")} if steps else {}
    return replace(longer, files=tuple(changed.get(file.name, file) for file in longer.files))


def titles(chain: Chain, start: int = -1) -> list[str]:
    """What the steps of the last file do, or those of all files from `start` on."""
    return [step.title.replace(chr(34), "") for file in chain.files[start:] for step in file.migration.steps]


def fill(database: Database, dataset: Dataset | None = None) -> None:
    """Rows into alert_events, columns of the dataset's own that take no null included."""
    extra = [
        column
        for column in (dataset.columns if dataset else ())
        if column.name == "region" and not column.nullable and column.default is None
    ]
    database.execute(
        FILL.replace("sender)", "sender, region)").replace("'x'", "'x', 'eu'") if extra else FILL
    )


def clear(database: Database) -> None:
    """As before the first migration."""
    database.execute(
        "DO 'BEGIN EXECUTE (SELECT coalesce(string_agg(format(''DROP TABLE %I.%I CASCADE'', relation_schema, relation), ''; ''), ''SELECT'')"
        " FROM sluice.generations); END'",
        "TRUNCATE sluice.datasets, sluice.generations, sluice.dataset_heads, sluice.migrations,"
        " sluice.migration_steps, sluice.output_commits",
    )
