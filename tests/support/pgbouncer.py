"""A real pgbouncer in transaction mode before a database, where the machine has one."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev import processes
from dev.postgres_cluster import free_port
from dev.postgres_program import server_account

HOST = "127.0.0.1"
START_SECONDS = 15.0
PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


@contextmanager
def running_pgbouncer(conninfo: dict[str, Any], sessions: int) -> Iterator[int]:
    """The port of a pooler that lends `sessions` server sessions for a transaction each; skips where there is none.

    It knows the roles' passwords from the server itself, as the superuser of `conninfo`.
    """
    program = shutil.which("pgbouncer", path=PLACES)
    if program is None:
        pytest.skip("no pgbouncer on this machine (Debian: apt-get install pgbouncer)")
    account = server_account()  # pgbouncer does not run as root
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    try:
        port = free_port()
        (home / "users.txt").write_text(f"{_quoted(conninfo['user'])} {_quoted(conninfo['password'])}\n")
        (home / "pgbouncer.ini").write_text(_configuration(conninfo, port, sessions, home))
        if account is not None:
            for path in (home, *home.iterdir()):
                os.chown(path, account.uid, account.gid)
        record = processes.start(
            "pgbouncer",
            [program, str(home / "pgbouncer.ini")],
            log=home / "stdout.log",
            env={"PATH": PLACES},
            cwd=home,
            account=account,
        )
        try:
            processes.wait_ready(record, lambda: _listens(port) or None, seconds=START_SECONDS)
            yield port
        finally:
            processes.stop(record)
    finally:
        shutil.rmtree(home)


def _configuration(conninfo: dict[str, Any], port: int, sessions: int, home: Path) -> str:
    return f"""
[databases]
* = host={conninfo["host"]} port={conninfo["port"]} auth_user={conninfo["user"]}
[pgbouncer]
listen_addr = {HOST}
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = {sessions}
auth_type = scram-sha-256
auth_file = {home}/users.txt
auth_query = SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1
logfile = {home}/pgbouncer.log
pidfile = {home}/pgbouncer.pid
"""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
