"""Detached child processes: started with a log file, recorded, stopped by identity and never by name.

A process is known by its pid together with its creation time, so that a pid which the system has given to another
process since is never signalled. Secrets reach a child through its environment or a file, never through argv, which
every user of the machine can read.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from dev.state import DevError

STOP_SECONDS = 10.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.02
# The creation time is counted from the boot, and the boot time as each process reads it may differ by a rounding.
SAME_PROCESS_SECONDS = 1.0

Ready = TypeVar("Ready")

# Children of this very process; kept so that their Popen objects are not collected while they run.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Account:
    """The operating-system user that a child runs as: numeric user id and group id."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessRecord:
    """A started process: enough to find it again, and to know that it is still the same one.

    `create_time` is in seconds since the epoch, as psutil gives it.
    """

    name: str
    pid: int
    create_time: float
    log: Path

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object; `from_json` reads it."""
        return {"name": self.name, "pid": self.pid, "create_time": self.create_time, "log": str(self.log)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ProcessRecord:
        """The record that `to_json` wrote."""
        return cls(
            name=str(document["name"]),
            pid=int(document["pid"]),
            create_time=float(document["create_time"]),
            log=Path(str(document["log"])),
        )


def start(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    account: Account | None = None,
) -> ProcessRecord:
    """Start a child in a session of its own, so that it outlives this process and the terminal.

    `env` is the child's whole environment. stdout and stderr are appended to `log` (mode 600); stdin is empty. With
    an `account` the child runs as that user, which only root may ask for.
    Raises OSError where the program cannot be run.
    """
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
    with _private_log(log) as output:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            **identity,
        )
    _children[child.pid] = child
    return record_of(child.pid, name=name, log=log)


def record_of(pid: int, *, name: str, log: Path) -> ProcessRecord:
    """The record of a process that already runs. Raises psutil.NoSuchProcess."""
    return ProcessRecord(name=name, pid=pid, create_time=psutil.Process(pid).create_time(), log=log)


def writing_to(logs: Path) -> tuple[ProcessRecord, ...]:
    """The processes of this account whose output goes to a file in `logs`, parents first: found without a record."""
    found = []
    for process in psutil.process_iter(["pid"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.uids().real == os.getuid():
                opened = (Path(file.path) for file in process.open_files())
                log = next((path for path in opened if path.parent == logs), None)
                if log is not None:
                    found.append(record_of(process.pid, name=log.stem, log=log))
    return tuple(sorted(found, key=lambda record: record.create_time))


def is_alive(record: ProcessRecord) -> bool:
    """Whether the recorded process still runs; another process with its pid, or a zombie, does not count."""
    process = _find(record)
    if process is None:
        return False
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop(
    record: ProcessRecord, *, first: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS
) -> None:
    """Ask the process to end with the signal `first`, wait up to `seconds`, then kill it and its descendants.

    Does nothing where the process is gone. Raises DevError where even SIGKILL does not end it.
    """
    process = _find(record)
    if process is not None:
        _end(process, first, seconds, record)
    child = _children.pop(record.pid, None)
    if child is not None:
        child.poll()


def _end(process: psutil.Process, first: signal.Signals, seconds: float, record: ProcessRecord) -> None:
    family = _descendants(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(first)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(seconds)
    family += [child for child in _descendants(process) if child not in family]
    left = [member for member in [process, *family] if member.is_running()]
    for member in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    _, alive = psutil.wait_procs(left, timeout=KILL_SECONDS)
    if any(member.status() != psutil.STATUS_ZOMBIE for member in alive if member.is_running()):
        raise DevError(
            f"{record.name}: process {record.pid} does not end, not even by SIGKILL. See {record.log}."
        )


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def wait_ready(record: ProcessRecord, ready: Callable[[], Ready | None], *, seconds: float) -> Ready:
    """Call `ready` until it returns a value, and return that.

    Raises DevError with the end of the log where the process ends first, or where `seconds` pass.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = ready()
        if found is not None:
            return found
        if not is_alive(record):
            raise DevError(f"{record.name} ended while it started. {_log_says(record.log)}")
        if time.monotonic() > deadline:
            raise DevError(f"{record.name} was not ready after {seconds:g} s. {_log_says(record.log)}")
        time.sleep(POLL_SECONDS)


def last_lines(log: Path, count: int = 20) -> str:
    """The last lines of a log file; empty where there is none."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""


def _log_says(log: Path) -> str:
    return f"The end of {log}:\n{last_lines(log)}"


def _find(record: ProcessRecord) -> psutil.Process | None:
    try:
        process = psutil.Process(record.pid)
        created = process.create_time()
    except psutil.NoSuchProcess:
        return None
    return process if abs(created - record.create_time) < SAME_PROCESS_SECONDS else None


@contextlib.contextmanager
def _private_log(log: Path) -> Iterator[int]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
