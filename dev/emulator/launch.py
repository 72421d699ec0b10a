"""Start, find and stop the emulator's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dev import processes
from dev.emulator.state import EmulatorState
from dev.processes import ProcessRecord
from dev.state import Paths, read_json, write_json

START_SECONDS = 30.0
PROJECT = Path(__file__).resolve().parents[2]


class Emulator:
    """The environment's one emulator. Its state is in memory: a new process knows nothing of the old one's queues.

    Not safe against itself in another process: hold `dev.state.locked`.
    """

    def __init__(self, paths: Paths, region: str = "eu-central-1") -> None:
        self._paths = paths
        self._region = region

    def start(self) -> EmulatorState:
        """Start the emulator unless it runs, wait until it listens, and return its state.

        Raises DevError with the end of its log where it does not come up.
        """
        running = self.status()
        if running is not None:
            return running
        self._paths.ensure()
        self._paths.emulator_state.unlink(missing_ok=True)
        record = processes.start(
            "emulator",
            [
                sys.executable,
                "-m",
                "dev.emulator",
                "--state",
                str(self._paths.emulator_state),
                "--region",
                self._region,
            ],
            log=self._paths.log("emulator"),
            env=_environment(),
            cwd=PROJECT,
        )
        write_json(self._paths.emulator_process, record.to_json())
        try:
            return processes.wait_ready(record, self._state, seconds=START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the emulator and forget its state; nothing happens where none runs."""
        record = self._record()
        if record is not None:
            processes.stop(record)
        self._paths.emulator_state.unlink(missing_ok=True)
        self._paths.emulator_process.unlink(missing_ok=True)

    def status(self) -> EmulatorState | None:
        """The state of the running emulator, or None where none runs."""
        record = self._record()
        return self._state() if record is not None and processes.is_alive(record) else None

    def pid(self) -> int | None:
        """The running emulator's process id, or None where none runs."""
        record = self._record()
        return record.pid if record is not None and processes.is_alive(record) else None

    def _record(self) -> ProcessRecord | None:
        document = read_json(self._paths.emulator_process)
        return ProcessRecord.from_json(document) if document else None

    def _state(self) -> EmulatorState | None:
        document = read_json(self._paths.emulator_state)
        return EmulatorState.from_json(document) if document else None


def _environment() -> Mapping[str, str]:
    """The emulator's whole environment: none of the caller's AWS or moto settings reaches it."""
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUTF8": "1", "TZ": "UTC"}
