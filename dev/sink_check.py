"""`python -m sink_runtime --check` with the environment of one of the sinks here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from dev.emulator.client import session
from dev.servers import Servers
from dev.sinks import empty_home, spec_of
from dev.state import Paths


def check(paths: Paths, both: Servers, outputs: Mapping[str, Any], dataset: str) -> int:
    """Look at everything that the dataset's sink needs, as the sink itself; its lines go to stdout. Returns its exit code."""
    operator = session(both.emulator).client("sts").get_caller_identity()["UserId"]
    spec = spec_of(paths, both.emulator, both.address, outputs, dataset, operator)
    done = subprocess.run(
        [sys.executable, "-m", "sink_runtime", "--check", "--plan", spec.plan_uri],
        env=dict(spec.environment),
        cwd=empty_home(paths),
        check=False,
    )
    return done.returncode
