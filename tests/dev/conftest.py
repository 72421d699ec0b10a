"""The administrator's context on a real emulator and a real Postgres database of the test's own."""

from __future__ import annotations

from typing import Any

import pytest

from dev.emulator.state import EmulatorState
from dev.resources.context import Context


@pytest.fixture
def context(emulator: EmulatorState, fresh_database: dict[str, Any]) -> Context:
    return Context(emulator=emulator, postgres=fresh_database)
