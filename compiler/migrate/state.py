"""A table on its way from one Table to another: what a Table cannot say, but a database may be in between two steps.

Each mark stands in the fingerprinted shape, so a table on its way is never taken for one that has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from compiler import names
from compiler.canonical import Json, JsonDocument
from compiler.table import Table

INVALID = "invalid"  # an index whose build or removal did not finish: [name, INVALID]
UNNAMED = ""  # in the place of a partial index's predicate id, before its comment gives it
UNIQUE = "unique"  # the index of a key that comes: [name, UNIQUE, columns]
NOT_VALID = "not valid"  # a CHECK that old rows were not compared with: [name, id, NOT_VALID]


@dataclass(frozen=True)
class State:
    """A Table with the names of its indexes and CHECKs that are not finished, and the key that is built beside its own."""

    table: Table
    invalid: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()
    unvalidated: frozenset[str] = frozenset()
    coming_key: tuple[str, ...] = ()

    def with_table(self, table: Table) -> State:
        """The same marks on another Table."""
        return replace(self, table=table)

    @cached_property
    def fingerprint(self) -> str:
        """The hash that a live table in this state has."""
        if not (self.invalid or self.unnamed or self.unvalidated or self.coming_key):
            return self.table.fingerprint
        document = self.table.shape.document.value
        document["indexes"] = sorted([*map(self._index, document["indexes"]), *self._coming()])
        document["checks"] = [self._check(row) for row in document["checks"]]
        return JsonDocument.of(document, finite=True).sha256

    def _index(self, row: list[Json]) -> list[Json]:
        if row[0] in self.invalid:
            return [row[0], INVALID]
        return [*row[:-1], UNNAMED] if row[0] in self.unnamed else row

    def _coming(self) -> Iterator[list[Json]]:
        name = names.coming_index(self.table.key_name)
        if name in self.invalid:
            yield [name, INVALID]
        elif self.coming_key:
            yield [name, UNIQUE, list(self.coming_key)]

    def _check(self, row: list[Json]) -> list[Json]:
        return [*row, NOT_VALID] if row[0] in self.unvalidated else row
