"""What every test shares: how hypothesis behaves, which tests come last, and what is said of those that could not run."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a test says what is right, never how fast this machine is.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every run: a red build can be reproduced from its commit.
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell's background jobs ignore SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.emulator", "tests.support.postgres"]

ENGINE_TESTS = Path(__file__).parent / "engine"
NO_ENGINE = "no Pulumi engine"  # begins the reason of a test that is skipped for it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The engine's tests come last: the engine may still be being built meanwhile."""
    items.sort(key=lambda item: item.path.is_relative_to(ENGINE_TESTS))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly how many tests did not run because there is no engine: the others still decide."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    missed = [reason for reason in reasons if NO_ENGINE in reason]
    if missed:
        terminalreporter.section("the Pulumi engine was not tested", red=True, bold=True)
        terminalreporter.line(f"{len(missed)} tests did not run: {missed[0].removeprefix('Skipped: ')}")
