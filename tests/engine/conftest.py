"""The real engine for tests. Where it cannot be had they are skipped; under CI only where a registry refuses a module."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import NO_ENGINE
from tools.pulumi.build import BuildError, RefusedError
from tools.pulumi.engine import engine as find_engine


@pytest.fixture(scope="session")
def engine() -> Path:
    """The engine's program. The first test waits for it, minutes where it is still being built."""
    try:
        return find_engine()
    except RefusedError as error:
        pytest.skip(f"{NO_ENGINE}: {error}")
    except BuildError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{NO_ENGINE}: {error}")
