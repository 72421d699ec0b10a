"""A dataset that changes: its chain grown by what `sluice plan` writes next, and rows to change it over."""

from __future__ import annotations

from dataclasses import replace

from compiler.dataset import Dataset
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


def grown(chain: Chain, dataset: Dataset, table: Table | None = None) -> Chain:
    """The chain with the next migration, which takes it to the dataset's table."""
    table = table or table_of(dataset)
    planned = plan(chain, table, Registration(dataset.name, dataset.version, dataset.uuid, dataset.owner))
    assert isinstance(planned, Change), planned
    return replace(chain, files=(*chain.files, planned.file), table=planned.table)


def titles(chain: Chain) -> list[str]:
    """What the steps of the last file do."""
    return [step.title.replace(chr(34), "") for step in chain.files[-1].migration.steps]


def fill(database: Database) -> None:
    """Rows into alert_events."""
    database.execute(FILL)
