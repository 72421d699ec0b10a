"""The real engine for tests. Where it cannot be had they are skipped; under CI only where a registry refuses a module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dev.emulator.launch import Emulator
from dev.emulator.state import EmulatorState
from dev.state import Paths
from tests.conftest import NO_ENGINE
from tests.engine.environment import engine_environment
from tests.engine.project import Project, make_project
from tests.engine.providers import attached
from tests.engine.world import World, world_of
from tools.pulumi import engine as tools
from tools.pulumi.build import BuildError, RefusedError


@pytest.fixture(scope="session")
def engine() -> Path:
    """The engine's program. The first test waits for it, minutes where it is still being built."""
    return _or_skipped(tools.engine)


@pytest.fixture(scope="session")
def postgresql_provider(engine: Path) -> Path:
    """The published provider pulumi-postgresql, built by the same rules."""
    return _or_skipped(tools.postgresql_provider)


def _or_skipped(find: Callable[[], Path]) -> Path:
    try:
        return find()
    except RefusedError as error:
        pytest.skip(f"{NO_ENGINE}: {error}")
    except BuildError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{NO_ENGINE}: {error}")


@pytest.fixture
def own_emulator(tmp_path: Path) -> Iterator[EmulatorState]:
    """An AWS of the test's own: names of a stack are the same in every test."""
    server = Emulator(Paths(tmp_path / "emulator").ensure())
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def project(
    engine: Path, own_emulator: EmulatorState, fresh_database: dict[str, Any], tmp_path: Path
) -> Project:
    """A project that deploys one dataset; nothing is deployed yet."""
    environment = engine_environment(engine, tmp_path)
    return make_project(
        tmp_path / "project", environment, own_emulator, fresh_database, ["monitoring_events"]
    )


@pytest.fixture
def three_datasets(
    engine: Path, own_emulator: EmulatorState, fresh_database: dict[str, Any], tmp_path: Path
) -> Project:
    """A project that deploys the repository's three datasets; nothing is deployed yet."""
    environment = engine_environment(engine, tmp_path)
    return make_project(tmp_path / "project", environment, own_emulator, fresh_database, ["*"])


@pytest.fixture
def world(three_datasets: Project) -> Iterator[World]:
    """The three datasets under the Automation API, with providers that serve all of the test's runs."""
    with attached(three_datasets.environment) as environment:
        yield world_of(replace(three_datasets, environment=environment))


@pytest.fixture
def launching_world(three_datasets: Project) -> World:
    """As `world`, with providers that the engine starts for each run, and which write what they log where it says."""
    return world_of(three_datasets)
