"""Enter the dataset into the control schema: what it is, its table, and where its sequence starts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from compiler.migrate.model import Effort, Lock, Step
from compiler.migrate.quoting import literal
from compiler.table import Table

# A later version finds the dataset registered, where an earlier one was applied.
_SUCCEED = (
    "\nON CONFLICT (dataset) DO UPDATE SET current_version = excluded.current_version, owner = excluded.owner"
)


@dataclass(frozen=True)
class Registration:
    """What the registry says of a dataset and a Table does not."""

    dataset: str
    version: int
    uuid: UUID
    owner: str


def step(table: Table, registration: Registration) -> Step:
    """Rows in the control schema; the writer role is the environment's, so the applier's session names it."""
    return Step(
        title=f"register {registration.dataset} v{registration.version}",
        sql="\n".join(_statements(table, registration)),
        lock=Lock.NONE,
        effort=Effort.INSTANT,
        after=table.fingerprint,
    )


def _statements(table: Table, new: Registration) -> tuple[str, ...]:
    dataset, uuid, owner = literal(new.dataset), literal(str(new.uuid)), literal(new.owner)
    writer = "current_setting('sluice.writer_role')::name"
    schema, name = literal(table.schema), literal(table.name)
    return (
        "INSERT INTO sluice.datasets (dataset, dataset_uuid, owner, current_version, writer_role)",
        f"VALUES ({dataset}, {uuid}::uuid, {owner}, {new.version}, {writer}){_SUCCEED if new.version > 1 else ''};",
        "INSERT INTO sluice.generations (dataset, version, relation_schema, relation)",
        f"VALUES ({dataset}, {new.version}, {schema}, {name});",
        "INSERT INTO sluice.dataset_heads (dataset, version)",
        f"VALUES ({dataset}, {new.version});",
    )
