"""How large a live table is, and how long a step will work on that much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compiler.migrate.model import Mode, Step

if TYPE_CHECKING:  # `sluice plan` tells of sizes by these functions, and mostly without a database
    from psycopg import Connection

    from compiler.migrate.relations import Relation

# What a step that builds an index gets through, by `python -m bench.scan` (docs/benchmarks.md): a quarter of the 64 MiB of
# table a second that the slowest build did on two busy cores, for a larger index or a smaller server. A rewrite is refused
# by REWRITE_BYTES long before. It decides only where a step runs, never whether.
BYTES_PER_SECOND = 16 * 1024 * 1024
# What one that only reads gets through: measured at 700 and more from memory, so what counts is the disk. The usual volume
# of a managed server (AWS gp3) reads 125 MiB a second and serves the sinks and readers too: half of that.
READ_BYTES_PER_SECOND = 64 * 1024 * 1024
# Deployments have timeouts of their own, and nobody can watch a step in them.
DEPLOYMENT_SECONDS = 600

_SIZE = """
SELECT pg_catalog.pg_table_size(c.oid), c.reltuples::bigint
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


@dataclass(frozen=True)
class Size:
    """A live table: its bytes without indexes, and the rows that the server counted last; None where it never did."""

    bytes: int
    rows: int | None

    def __str__(self) -> str:
        rows = "rows never counted" if self.rows is None else f"about {self.rows:,} rows"
        return f"{rows}, {_in_units(self.bytes)}"


def size(connection: Connection[Any], relation: Relation) -> Size:
    """The live table's size; nothing at all where there is none."""
    found = connection.execute(_SIZE, (relation.schema, relation.table)).fetchone()
    if found is None:
        return Size(0, 0)
    return Size(int(found[0]), int(found[1]) if found[1] >= 0 else None)


def seconds(step: Step, of: Size) -> int:
    """About how long the step will work; 0 where the table's size does not matter."""
    if not step.scan:
        return 0
    only_reads = step.mode is not Mode.NONE and not step.rewrite
    return of.bytes // (READ_BYTES_PER_SECOND if only_reads else BYTES_PER_SECOND)


def work(step: Step, of: Size | None) -> str:
    """How long a step works as a function of the table's size, and what that is where it is known and matters."""
    return f"{step.effort} of {of}" if of and step.scan else str(step.effort)


def _in_units(count: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << shift:
            return f"{count / (1 << shift):.1f} {unit}"
    return f"{count} bytes"
