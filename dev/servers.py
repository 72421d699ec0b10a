"""The environment's two servers together, and what tells one run of them from another."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from dev.emulator.launch import Emulator
from dev.emulator.state import EmulatorState
from dev.postgres import Address, PostgresServer
from dev.resources.ledger import Ledger
from dev.resources.registry import handler_of
from dev.state import Paths


@dataclass(frozen=True)
class Servers:
    """Both servers, running."""

    emulator: EmulatorState
    address: Address

    @property
    def emulator_instance(self) -> str:
        """A name for this process of the emulator: another one knows nothing of this one's resources."""
        return hashlib.sha256(self.emulator.credentials_key.encode()).hexdigest()[:16]

    def postgres_instance(self) -> str:
        """A name for this Postgres cluster: its system identifier."""
        with psycopg.connect(**self.address.conninfo()) as connection:
            row = connection.execute(
                "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
            ).fetchone()
        return str(row[0]) if row else ""


def start(paths: Paths, region: str) -> Servers:
    """Start what does not run yet, both at once. Raises DevError."""
    with ThreadPoolExecutor(2) as pool:
        emulator = pool.submit(Emulator(paths, region).start)
        postgres = pool.submit(PostgresServer(paths).start)
        return Servers(emulator.result(), postgres.result())


def stop(paths: Paths, *, keep_data: bool) -> None:
    """Stop both at once; Postgres' data are deleted unless they are kept. Raises DevError."""
    server = PostgresServer(paths)
    with ThreadPoolExecutor(2) as pool:
        stopping = [
            pool.submit(Emulator(paths).stop),
            pool.submit(server.stop if keep_data else server.remove),
        ]
    for one in stopping:
        one.result()


def forget_lost(paths: Paths, servers: Servers) -> int:
    """Take out of the ledger what an earlier emulator or cluster held; returns how many resources that were."""
    ledger = Ledger.load(paths.resources)
    postgres = servers.postgres_instance()
    lost = 0
    if ledger.postgres != postgres:
        lost += ledger.forget(lambda _: True)
    if ledger.emulator != servers.emulator_instance:
        lost += ledger.forget(lambda token: not handler_of(token).in_postgres)
    ledger.emulator, ledger.postgres = servers.emulator_instance, postgres
    ledger.save()
    return lost
