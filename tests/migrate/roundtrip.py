"""From one table to another and back, through files and a database: whatever was planned is what the catalog then says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from psycopg.sql import SQL, Identifier

from compiler.canonical import sha256_bytes
from compiler.migrate import catalog, files
from compiler.migrate.apply import relation_of, status
from compiler.migrate.model import Chain
from compiler.migrate.planner import Nothing, Refused, plan
from compiler.migrate.table_json import dumps, loads
from compiler.table import Table
from tests.migrate.changing import clear, grown, registration
from tests.migrate.conftest import Database, chain_of
from tests.migrate.pairs import Pair
from tests.support.datasets import alert_events

DATASET = alert_events(name="t", version=1)


def there_and_back(database: Database, pair: Pair) -> bool:
    """Apply old, new and old again where that can be planned; tells whether it could."""
    database.roles(DATASET)
    schema = SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION sluice_owner").format(
        Identifier(pair.old.schema)
    )
    database.execute(schema.as_string(None))
    try:
        chain = applied(database, chain_of(DATASET, pair.old), pair.old)
        chain = changed(database, chain, pair.new, pair.renames)
        back = pair.back
        if isinstance(plan(chain, back.new, registration(DATASET), back.renames), Refused):
            return False
        changed(database, chain, back.new, back.renames)
        return True
    finally:
        clear(database)


def changed(database: Database, chain: Chain, table: Table, renames: Mapping[str, str]) -> Chain:
    """The chain grown to the table, and applied."""
    if plan(chain, table, registration(DATASET), renames) == Nothing():
        return chain
    return applied(database, as_read(grown(chain, DATASET, table, renames)), table)


def applied(database: Database, chain: Chain, table: Table) -> Chain:
    """Nothing is left to plan or to apply, and the catalog says what the table says."""
    assert plan(chain, table, registration(DATASET)) == Nothing()
    assert database.apply(DATASET, chain).fingerprint == table.fingerprint
    with database.session() as connection:
        live = catalog.read(connection, relation_of(chain))
    assert live is not None
    assert (live.shape, live.odd) == (table.shape, ())
    found = status(database.conninfo, chain)
    assert (found.pending, found.drift, found.trouble) == ((), (), ())
    return chain


def as_read(chain: Chain) -> Chain:
    """The chain as another process reads it from its files."""
    members = []
    for member in chain.files:
        text = files.write(member.migration)
        assert sha256_bytes(text.encode()) == member.sha256
        members.append(replace(member, migration=files.read(text)))
    return replace(chain, files=tuple(members), table=loads(dumps(chain.table)))
