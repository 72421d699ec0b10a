"""The embedded Postgres: `PostgresServer` for `sluice dev`, `running_server` for a test's own short-lived one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from dev import processes
from dev.postgres_cluster import HOST, MAINTENANCE_DATABASE, SUPERUSER, Address, Cluster, new_password
from dev.postgres_program import (
    default_binaries,
    installed_versions,
    major_version,
    make_home,
    server_account,
)
from dev.processes import Account, ProcessRecord
from dev.state import DevError, Paths, read_json, write_json

__all__ = ["Address", "PostgresServer", "PostgresStatus", "installed_versions", "running_server"]

DATABASE = "sluice"
# Nothing outlives a test, so nothing needs to reach the disk.
TEST_SETTINGS: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresStatus:
    """What is known of the server: whether it runs, as which process, where, and where its data are."""

    running: bool
    pid: int | None
    address: Address | None
    home: Path | None


@dataclass(frozen=True)
class _State:
    """The state file's contents: where the server lives, how to log in, and its process while it was started."""

    home: Path
    uid: int | None
    password: str
    port: int | None
    process: ProcessRecord | None

    def to_json(self) -> dict[str, Any]:
        return {
            "home": str(self.home),
            "uid": self.uid,
            "password": self.password,
            "port": self.port,
            "process": self.process.to_json() if self.process else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> _State:
        process = document["process"]
        return cls(
            home=Path(document["home"]),
            uid=document["uid"],
            password=document["password"],
            port=document["port"],
            process=ProcessRecord.from_json(process) if process else None,
        )


class PostgresServer:
    """The environment's one Postgres server, kept between runs: `start` on existing data uses them again.

    `binaries` is a folder with `initdb` and `postgres` (the newest version found here by default), `database` the
    database that `start` makes sure of. Not safe against itself in another process: hold `dev.state.locked`.
    """

    def __init__(self, paths: Paths, binaries: Path | None = None, database: str = DATABASE) -> None:
        self._paths = paths
        self._binaries = binaries
        self._database = database

    def start(self) -> Address:
        """Start the server unless it runs, and return its address.

        Raises DevError where it cannot be started, or where its data belong to another account or major version.
        """
        self._paths.ensure()
        account = server_account()
        binaries = self._binaries or default_binaries()
        state = self._usable_state(account) or self._new_state(binaries, account)
        cluster = self._cluster(state, binaries, account)
        if not cluster.is_initialised:
            cluster.initialise(state.password)
        _check_major(cluster)
        process, port = cluster.running() or cluster.start(state.port)
        self._write(_State(state.home, state.uid, state.password, port, process))
        _ensure_database(self._address(port, state.password, MAINTENANCE_DATABASE), self._database)
        return self._address(port, state.password, self._database)

    def stop(self) -> None:
        """Stop the server and keep its data; nothing happens where none runs."""
        state = self._read()
        process = self._live(state) if state else None
        if state is not None and process is not None:
            self._cluster(state, Path(), None).stop(process)

    def remove(self) -> None:
        """Stop the server and delete its data, the folder outside `.sluice/` included."""
        self.stop()
        state = self._read()
        if state is not None:
            shutil.rmtree(state.home, ignore_errors=True)
            self._paths.postgres_state.unlink(missing_ok=True)

    def status(self) -> PostgresStatus:
        """What is known of the server; asks the operating system, not the server itself."""
        state = self._read()
        if state is None:
            return PostgresStatus(running=False, pid=None, address=None, home=None)
        process = self._live(state)
        if process is None or state.port is None:
            return PostgresStatus(running=False, pid=None, address=None, home=state.home)
        address = self._address(state.port, state.password, self._database)
        return PostgresStatus(running=True, pid=process.pid, address=address, home=state.home)

    def _live(self, state: _State) -> ProcessRecord | None:
        if state.process is not None and processes.is_alive(state.process):
            return state.process
        found = self._cluster(state, Path(), None).running()
        return found[0] if found else None

    def _usable_state(self, account: Account | None) -> _State | None:
        state = self._read()
        if state is None or not state.home.is_dir():
            return None
        if state.uid != (account.uid if account else None):
            raise DevError(
                f"{self._paths.postgres_state}: this Postgres was started by another account. "
                "Run `sluice dev down` as that account first."
            )
        return state

    def _new_state(self, binaries: Path, account: Account | None) -> _State:
        home = make_home(self._paths.postgres, binaries, account)
        state = _State(home, account.uid if account else None, new_password(), None, None)
        self._write(state)  # before anything is in it, so that `remove` always knows the folder
        return state

    def _cluster(self, state: _State, binaries: Path, account: Account | None) -> Cluster:
        return Cluster(state.home, binaries, account, self._paths.log("postgres"))

    def _address(self, port: int, password: str, database: str) -> Address:
        return Address(host=HOST, port=port, superuser=SUPERUSER, password=password, database=database)

    def _read(self) -> _State | None:
        document = read_json(self._paths.postgres_state)
        return _State.from_json(document) if document else None

    def _write(self, state: _State) -> None:
        write_json(self._paths.postgres_state, state.to_json())


def _check_major(cluster: Cluster) -> None:
    data = int((cluster.data / "PG_VERSION").read_text(encoding="utf-8"))
    program = major_version(cluster.binaries)
    if program != data:
        raise DevError(
            f"{cluster.data} was made by Postgres {data}, but the program found is {program}. "
            "Run `sluice dev down`, then `sluice dev up`."
        )


def _ensure_database(maintenance: Address, name: str) -> None:
    with psycopg.connect(**maintenance.conninfo(), autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", [name]
        ).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def running_server(binaries: Path, settings: Mapping[str, str] | None = None) -> Iterator[Address]:
    """A server of its own for a test: made in a temporary folder, without fsync, removed at the end.

    `binaries` is any major version's folder of programs, `settings` are further ones. Yields the superuser's address
    on the database `postgres`.
    """
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="sluice-postgres-test-"))
    home = folder
    try:
        home = make_home(folder / "home", binaries, account)
        cluster = Cluster(home, binaries, account, folder / "postgres.log")
        password = new_password()
        cluster.initialise(password)
        process, port = cluster.start(None, {**TEST_SETTINGS, **(settings or {})})
        try:
            yield Address(HOST, port, SUPERUSER, password, MAINTENANCE_DATABASE)
        finally:
            cluster.stop(process)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
