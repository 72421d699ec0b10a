"""One Postgres data directory and the server on it: initdb, start, wait until ready, stop.

The server listens on 127.0.0.1 alone and opens no Unix socket; every connection, local ones included, must prove a
password by scram-sha-256, so no `trust` line exists that another user of the machine could come through.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dev import processes
from dev.postgres_program import major_version, runnable
from dev.processes import Account, ProcessRecord
from dev.state import DevError, write_private

HOST = "127.0.0.1"
SUPERUSER = "postgres"
MAINTENANCE_DATABASE = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
INITDB_SECONDS = 120
PORT_TRIES = 4
BUILTIN_LOCALES_SINCE = 17

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # A statement whose client is gone ends within a second instead of running on with its locks.
    "client_connection_check_interval": "1s",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Address:
    """Where a server listens and how its superuser logs in; the password does not show in the repr."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)
    database: str

    def conninfo(self) -> dict[str, Any]:
        """The keyword arguments of `psycopg.connect` for the superuser."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.superuser,
            "password": self.password,
            "dbname": self.database,
        }


@dataclass(frozen=True)
class Cluster:
    """A data directory in `home`, the programs that serve it, and the account that they run as (None: our own)."""

    home: Path
    binaries: Path
    account: Account | None
    log: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def is_initialised(self) -> bool:
        """Whether initdb has completed here: it is recorded by a file that is written last."""
        return self._complete.exists()

    @property
    def _complete(self) -> Path:
        return self.home / "initialised"

    def initialise(self, password: str) -> None:
        """Run initdb: UTF8, code-point collation (builtin C.UTF-8 where there is one), scram-sha-256 everywhere.

        Raises DevError with initdb's own words where it fails.
        """
        binaries = runnable(self.binaries, self.home, self.account)
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was cut short leaves nothing of value
        self.data.mkdir(mode=0o700)
        password_file = self.home / f"password-{secrets.token_hex(4)}"
        write_private(password_file, password + "\n")
        try:
            for path in (self.data, password_file):
                self._give(path)
            self._initdb(binaries, password_file)
        finally:
            password_file.unlink()
        self._complete.touch()

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def _initdb(self, binaries: Path, password_file: Path) -> None:
        user, group = (self.account.uid, self.account.gid) if self.account else (None, None)
        answer = subprocess.run(
            [
                binaries / "initdb",
                f"--pgdata={self.data}",
                f"--username={SUPERUSER}",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                *_locale_options(major_version(binaries)),
                "--no-sync",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            timeout=INITDB_SECONDS,
            check=False,
            cwd="/",
            env=_environment(),
            user=user,
            group=group,
            extra_groups=None if self.account is None else [],
        )
        if answer.returncode != 0:
            raise DevError(f"initdb failed in {self.data}:\n{answer.stdout}{answer.stderr}")

    def start(self, port: int | None, extra: Mapping[str, str] | None = None) -> tuple[ProcessRecord, int]:
        """Start the server on `port`, or on a free one where that is None or taken, and wait until it answers.

        `extra` are further settings. Returns the process and its port. Raises DevError with the end of the log.
        """
        binaries = runnable(self.binaries, self.home, self.account)
        for attempt in range(PORT_TRIES):
            chosen = port if port and attempt == 0 and _is_free(port) else free_port()
            record = self._spawn(binaries, chosen, {**SETTINGS, **(extra or {})})
            try:
                return self._wait(record), chosen
            except DevError:
                self.stop(record)
                # Another process may have taken the port between the choice and the bind.
                if _is_free(chosen) or attempt == PORT_TRIES - 1:
                    raise
        raise AssertionError

    def _spawn(self, binaries: Path, port: int, settings: Mapping[str, str]) -> ProcessRecord:
        options = [part for name, value in sorted(settings.items()) for part in ("-c", f"{name}={value}")]
        return processes.start(
            "postgres",
            [str(binaries / "postgres"), "-D", str(self.data), "-p", str(port), *options],
            log=self.log,
            env=_environment(),
            cwd=Path("/"),
            account=self.account,
        )

    def _wait(self, record: ProcessRecord) -> ProcessRecord:
        return processes.wait_ready(record, lambda: self._ready(record), seconds=START_SECONDS)

    def _ready(self, record: ProcessRecord) -> ProcessRecord | None:
        lines = self._pid_file()
        is_ready = len(lines) >= 8 and lines[0].strip() == str(record.pid) and lines[7].strip() == "ready"
        return record if is_ready else None

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: the pid first, the port fourth, the status ("ready") eighth."""
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def running(self) -> tuple[ProcessRecord, int] | None:
        """The server that runs on this data directory and its port, found through postmaster.pid; None if none."""
        lines = self._pid_file()
        if len(lines) < 4 or not lines[0].strip().isdigit() or not lines[3].strip().isdigit():
            return None
        try:
            process = psutil.Process(int(lines[0]))
            if str(self.data) not in process.cmdline():
                return None
            return processes.record_of(process.pid, name="postgres", log=self.log), int(lines[3])
        except psutil.Error:
            return None

    def stop(self, record: ProcessRecord) -> None:
        """Stop the server by a fast shutdown (SIGINT), which ends its clients' sessions and checkpoints."""
        processes.stop(record, first=signal.SIGINT, seconds=STOP_SECONDS)


def new_password() -> str:
    """A random password of 192 bits."""
    return secrets.token_urlsafe(24)


def free_port() -> int:
    """A TCP port on the loopback address that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Postgres itself binds
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _locale_options(major: int | None) -> list[str]:
    if major is not None and major >= BUILTIN_LOCALES_SINCE:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _environment() -> dict[str, str]:
    """The server's whole environment: none of the caller's PG* variables, locale or time zone reaches it."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
