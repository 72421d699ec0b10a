"""Two AWS servers by different people, and rigs on either. A test names the servers that it is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compiler.dataset import Dataset
from dev.emulator.state import EmulatorState
from dev.state import Paths
from tests.faults.rig import AwsServer, Rig, rigged
from tests.support import second_sqs
from tests.support.emulator import Role
from tests.support.second_sqs import MissingServerError


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    """The second server; where it cannot be installed its tests are skipped, and fail in CI."""
    folder = tmp_path_factory.mktemp("second-sqs")
    with ExitStack() as stack:
        try:
            state = stack.enter_context(second_sqs.running(folder))
        except MissingServerError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        role = Role(f"arn:aws:iam::{state.account_id}:role/sink", "sink")
        yield AwsServer("ministack", state, lambda *_, **__: role, Paths(folder / ".sluice"))


@pytest.fixture
def aws_server(
    request: pytest.FixtureRequest,
    emulator: EmulatorState,
    emulator_paths: Paths,
    make_role: Callable[..., Role],
) -> AwsServer:
    """Moto's server, or the one that `both_servers` asks for."""
    if getattr(request, "param", "moto") == "moto":
        return AwsServer("moto", emulator, make_role, emulator_paths)
    return request.getfixturevalue("ministack")


@pytest.fixture
def rig(
    aws_server: AwsServer, fresh_database: dict[str, Any], tmp_path: Path
) -> Iterator[Callable[..., Rig]]:
    """Bring up a dataset; every sink started is killed at the end."""
    with ExitStack() as stack:

        def make(dataset: Dataset, **plan: Any) -> Rig:
            return stack.enter_context(rigged(aws_server, fresh_database, dataset, tmp_path, **plan))

        yield make
