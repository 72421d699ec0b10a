"""State files that do not say what they should: what they were about is found without them, so that `down` gets on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dev import processes
from dev.emulator.launch import Emulator
from dev.postgres import PostgresServer
from dev.sinks import Sinks
from dev.state import DevError, Paths


def damaged(paths: Paths) -> tuple[Path, ...]:
    """The files that `down` needs and cannot read."""
    readers: Mapping[Path, Callable[[], object]] = {
        paths.root / "sinks.json": Sinks(paths).known,
        paths.emulator_process: Emulator(paths).pid,
        paths.postgres_state: PostgresServer(paths).status,
    }
    return tuple(path for path, read in readers.items() if not _is_read(read))


def clear(paths: Paths, files: tuple[Path, ...]) -> int:
    """Stop what writes to the environment's logs, delete the files, and say how many processes that were.

    Raises DevError where Postgres' own file is among them: only it says where the server and its data are.
    """
    if paths.postgres_state in files:
        raise DevError(
            f"{paths.postgres_state}: damaged, and only it says where this environment's Postgres is. End that "
            f"`postgres` process yourself, delete {paths.root}, and run `sluice dev up`."
        )
    kept = PostgresServer(paths).status().pid  # it is stopped as always, so that its data are whole
    found = tuple(record for record in processes.writing_to(paths.logs) if record.pid != kept)
    ended = tuple(record for record in found if _is_ended(record))
    for path in files:
        path.unlink(missing_ok=True)
    return len(ended)


def _is_ended(record: processes.ProcessRecord) -> bool:
    """True where the process was stopped; one that ended with its parent needs nothing."""
    if not processes.is_alive(record):
        return False
    processes.stop(record)
    return True


def _is_read(read: Callable[[], object]) -> bool:
    try:
        read()
    except (DevError, KeyError, TypeError, ValueError):
        return False
    return True
