"""A second SQS-compatible server, by other people than the first: ministack, in a virtual environment of its own.

The environment is made from the hashed lock when a test first asks for it, and kept in `.venv`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from dev import processes
from dev.emulator.state import Credentials, EmulatorState
from dev.postgres_cluster import free_port

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "second_sqs.txt"
HOST = "127.0.0.1"
REGION = "eu-central-1"
ACCOUNT = "123456789012"  # ministack takes an access key of twelve digits as the account
START_SECONDS = 30.0


class MissingServerError(Exception):
    """The second server cannot be installed here; the text says why, in one line."""


def install() -> Path:
    """The server's program; installed unless it is there. Raises MissingServerError."""
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = Path(sys.prefix) / "second-sqs" / digest
    program, complete = home / "bin" / "ministack", home / ".complete"
    home.parent.mkdir(exist_ok=True)
    with FileLock(home.parent / ".lock"):
        if not complete.exists():
            venv.create(home, clear=True, with_pip=True)
            _install_into(home)
            complete.touch()
    return program


def _install_into(home: Path) -> None:
    options = ["--quiet", "--no-input", "--no-deps", "--no-compile", "--require-hashes", "--retries", "1"]
    done = subprocess.run(
        [home / "bin" / "python", "-m", "pip", "install", *options, "-r", LOCK],
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise MissingServerError(f"the second SQS server cannot be installed: {last}")


@contextmanager
def running(folder: Path) -> Iterator[EmulatorState]:
    """The server on a free loopback port, its log in `folder`. Raises MissingServerError."""
    program, port = install(), free_port()
    record = processes.start(
        "second-sqs",
        [str(program)],
        log=folder / "second-sqs.log",
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "PYTHONUTF8": "1",
        },
        cwd=folder,
    )
    try:
        processes.wait_ready(record, lambda: _listens(port) or None, seconds=START_SECONDS)
        admin = Credentials(ACCOUNT, "any", None)
        yield EmulatorState(f"http://{HOST}:{port}", REGION, ACCOUNT, admin, "")
    finally:
        processes.stop(record)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
