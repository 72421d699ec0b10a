"""The container file cannot be built here; what it copies is there, and the sink runs on its own packages alone."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from dev.postgres_cluster import free_port
from sink_runtime import settings
from tests.house.test_requirements import versions
from tests.sink import datasets
from tests.sink.deployment import ROOT, Deployment
from tests.sink.store import Store
from tests.support.waiting import until

FILE = ROOT / "deploy" / "sink.Containerfile"


def instructions(name: str) -> list[str]:
    """The arguments of each such instruction, lines joined."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text())
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{name} ")]


def test_what_is_copied_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [shlex.split(one)[0] for one in instructions("COPY") if not one.startswith("--from")]
    assert sources == ["requirements/sink.txt", "sink_runtime"]
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored


def test_it_is_not_root_and_installs_hashed_wheels_only() -> None:
    [user] = instructions("USER")
    assert user.split(":")[0] not in ("0", "root")
    [install] = [one for one in instructions("RUN") if "pip install" in one]
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install
    assert instructions("ENTRYPOINT") == ['["python", "-m", "sink_runtime"]']
    assert "sink_runtime.healthcheck" in instructions("HEALTHCHECK")[0]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sink's packages and its code as the container has them, linked from what is installed here."""
    folder = tmp_path_factory.mktemp("packages")
    for name in versions("sink"):
        try:
            found = distribution(name)
        except PackageNotFoundError:  # another platform's, or an older Python's
            continue
        for top in {
            file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
    (folder / "sink_runtime").symlink_to(ROOT / "sink_runtime")
    return folder


def test_the_sink_runs_with_its_own_packages_alone(
    make_store: Callable[..., Store], deploy: Callable[..., Deployment], packages: Path
) -> None:
    deployment = deploy(make_store(datasets.alert_events()))
    # -S leaves out everything that is installed.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "sink_runtime", "--check"],
        env=deployment.environment | {"PYTHONPATH": str(packages)},
        cwd=packages,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_the_health_check_asks_the_sink_beside_it(
    make_store: Callable[..., Store], deploy: Callable[..., Deployment]
) -> None:
    port = {settings.HTTP_PORT: str(free_port())}

    def asked() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sink_runtime.healthcheck"]
        return subprocess.run(command, env=port, cwd=ROOT, capture_output=True, text=True, check=False)

    assert asked().returncode == 1
    deployment = deploy(make_store(datasets.alert_events()))
    deployment.start(**port)
    until(lambda: asked().returncode == 0, deployment.tell)
    assert '"healthy": true' in asked().stdout
