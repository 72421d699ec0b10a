"""The rows that stand in a step's way: how many, and the keys of the first. The step's own query finds them.

One row in the way is found before anything is counted, so that a table without any is read once and no further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL

from compiler.migrate.model import Step

# Keys that are shown.
SHOWN = 5
# Keys that are counted: more than anybody mends by hand, and soon found where most rows are wrong.
COUNTED = 100_000


@dataclass(frozen=True)
class Violations:
    """`keys` are the first, in no order; `count` counts all of them, up to one more than COUNTED."""

    count: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        number = f"more than {COUNTED:,}" if self.count > COUNTED else f"{self.count:,}"
        keys = f"{', '.join(self.keys)}{', …' if self.count > len(self.keys) else ''}"
        return f"rows with {number} {'key' if self.count == 1 else 'keys'}: {keys}"


def violations(connection: Connection[Any], step: Step) -> Violations | None:
    """What is in the step's way; None where nothing is. Raises psycopg.Error where the query cannot be asked yet."""
    if not step.violations:
        return None
    rows = connection.execute(
        SQL(f"{step.violations} LIMIT {SHOWN}")
    ).fetchall()  # the reviewed text, as it is
    if not rows:
        return None
    keys = tuple(f"({', '.join(map(str, row))})" for row in rows)
    if len(rows) < SHOWN:
        return Violations(len(rows), keys)
    counted = connection.execute(
        SQL(f"SELECT count(*) FROM ({step.violations} LIMIT {COUNTED + 1}) AS found")  # noqa: S608 - as above
    ).fetchone()
    return Violations(max(int(counted[0]) if counted else 0, len(rows)), keys)
