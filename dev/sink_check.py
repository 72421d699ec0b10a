"""`python -m sink_runtime --check` with the environment of one of the sinks here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from dev.emulator.state import EmulatorState
from dev.sinks import empty_home, spec_of
from dev.state import Paths
from dev.tasks import Tasks


def check(paths: Paths, emulator: EmulatorState, outputs: Mapping[str, Any], dataset: str) -> int:
    """Look at everything that the dataset's sink needs, as the sink itself; its lines go to stdout. Returns its exit code."""
    exported = outputs["datasets"][dataset]
    task = Tasks(paths).get(exported["task_definition"])
    spec = spec_of(paths, emulator, dataset, task, exported["plan_sha256"])
    done = subprocess.run(
        [sys.executable, "-m", "sink_runtime", "--check"],
        env=dict(spec.environment),
        cwd=empty_home(paths),
        check=False,
    )
    return done.returncode
