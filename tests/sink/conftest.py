"""A database with one dataset's table, the login of its sink, and sinks as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from compiler.dataset import Dataset
from compiler.emit.sink import sink_plan
from dev.emulator.client import EmulatorSession
from dev.emulator.state import EmulatorState
from dev.state import Paths
from sink_runtime.postgres.database import Connection
from tests.sink import deployment
from tests.sink.deployment import Deployment
from tests.sink.store import Store, bring_up, settings_of
from tests.support.emulator import Role


@pytest.fixture
def make_store(fresh_database: dict[str, Any]) -> Iterator[Callable[..., Store]]:
    """Bring a dataset up in this test's database. Further datasets share the database."""
    with psycopg.connect(**fresh_database, autocommit=True, options="-c TimeZone=UTC") as admin:

        def make(dataset: Dataset, **more: Any) -> Store:
            bring_up(fresh_database, dataset)
            plan = replace(sink_plan(dataset, ()), **more)
            return Store(admin, dataset, plan, settings_of(fresh_database))

        yield make


@pytest.fixture
def connected(make_store: Callable[..., Store]) -> Iterator[Callable[..., tuple[Store, Connection]]]:
    """A store and its sink's connection."""
    opened: list[Connection] = []

    def make(dataset: Dataset, **more: Any) -> tuple[Store, Connection]:
        store = make_store(dataset, **more)
        opened.append(store.connect())
        return store, opened[-1]

    yield make
    _close(opened)


def _close(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()


@pytest.fixture
def deploy(
    emulator: EmulatorState,
    emulator_paths: Paths,
    admin: EmulatorSession,
    make_role: Callable[..., Role],
    tmp_path: Path,
) -> Iterator[Callable[..., Deployment]]:
    """Deploy a store's dataset; every sink started is stopped at the end."""
    deployments: list[Deployment] = []

    def make(store: Store) -> Deployment:
        made = deployment.deploy(store, emulator, emulator_paths, admin, make_role, tmp_path)
        deployments.append(made)
        return made

    yield make
    for sink in [sink for one in deployments for sink in one.sinks]:
        sink.process.kill()
        sink.process.wait()
