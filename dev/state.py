"""Where the embedded environment keeps its state, and how it writes there.

Everything lies under one folder, `.sluice/` in the project or the folder that the environment variable SLUICE_HOME
names. The folder is open to its owner alone, and so is each file in it, since several of them hold passwords.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from filelock import FileLock, Timeout

HOME_VARIABLE = "SLUICE_HOME"
LOCK_SECONDS = 10.0
_SORTED = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


class DevError(Exception):
    """Something in the embedded environment failed; the message says what was found and how to fix it."""


@dataclass(frozen=True)
class Paths:
    """The files and folders of one embedded environment; `root` is `.sluice/` itself."""

    root: Path

    @classmethod
    def of(cls, project: Path, environ: Mapping[str, str] | None = None) -> Paths:
        """The paths for a project folder; a non-empty SLUICE_HOME in `environ` (the process's own if None) wins."""
        chosen = (os.environ if environ is None else environ).get(HOME_VARIABLE)
        return cls((Path(chosen) if chosen else project / ".sluice").absolute())

    @property
    def logs(self) -> Path:
        """The folder of log files, one for each process."""
        return self.root / "logs"

    @property
    def tokens(self) -> Path:
        """The folder of tokens with which processes ask for their credentials."""
        return self.root / "tokens"

    @property
    def postgres(self) -> Path:
        """The folder of an ordinary user's Postgres data."""
        return self.root / "postgres"

    @property
    def postgres_state(self) -> Path:
        """The state file of the Postgres server: its home, port, password and process."""
        return self.root / "postgres.json"

    @property
    def emulator_state(self) -> Path:
        """The state file that the emulator writes once it listens."""
        return self.root / "emulator.json"

    @property
    def emulator_process(self) -> Path:
        """The record of the emulator's process."""
        return self.root / "emulator.process.json"

    @property
    def resources(self) -> Path:
        """What the last run of the program created: (type, name) -> id and inputs, in order."""
        return self.root / "resources.json"

    @property
    def unfinished(self) -> Path:
        """What an `up` is about, from its beginning until it has come to its end."""
        return self.root / "unfinished.json"

    @property
    def lock(self) -> Path:
        """The lock that `up` and `down` hold."""
        return self.root / "lock"

    def log(self, name: str) -> Path:
        """The log file of the process called `name`."""
        return self.logs / f"{name}.log"

    def ensure(self) -> Paths:
        """Make the folders, each with mode 700, and return the same paths."""
        for folder in (self.root, self.logs, self.tokens):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, in which dataclasses may stand, as sorted JSON with mode 600.

    A reader sees the old file or the new one, never a part.
    """
    write_private(path, orjson.dumps(document, option=_SORTED).decode())


def write_private(path: Path, text: str) -> None:
    """Write a text file with mode 600, whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", dir=path.parent
    )  # mkstemp's mode is 600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a document that `write_json` wrote; None where there is no file.

    Raises DevError for a file that is no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path) from error
    if not isinstance(document, dict):
        raise damaged(path)
    return cast(dict[str, Any], document)


def damaged(path: Path) -> DevError:
    """The error for a file that does not say what it should."""
    return DevError(
        f"{path}: damaged. `sluice dev down` stops what runs and deletes the file; then run `sluice dev up`."
    )


@contextmanager
def locked(paths: Paths, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the environment's lock, so that two `up` or `down` never mix. Raises DevError after `seconds`."""
    paths.ensure()
    try:
        with FileLock(paths.lock, timeout=seconds, mode=0o600):
            yield
    except Timeout as error:
        raise DevError(
            f"{paths.lock}: another `sluice dev` command is at work here. Wait for it to end."
        ) from error
