"""The embedded Postgres: safe to log in to, kept between runs, and at home in folders that others may not enter."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from dev.postgres import Address, PostgresServer
from dev.postgres_program import default_binaries, server_account
from dev.state import DevError, Paths
from tests.support import postgres
from tests.support.postgres import every_major

PROJECT = Path(__file__).resolve().parents[2]


def value(address: Address, statement: str) -> Any:
    with psycopg.connect(**address.conninfo()) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / ".sluice")


@pytest.fixture
def server(paths: Paths) -> Any:
    server = PostgresServer(paths)
    yield server
    server.remove()


@every_major
def test_every_way_in_asks_for_a_password(postgres_server: Address) -> None:
    query = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
    assert value(postgres_server, query) == "scram-sha-256"
    assert value(
        postgres_server, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'postgres'"
    )
    assert value(postgres_server, "SHOW listen_addresses") == "127.0.0.1"
    assert value(postgres_server, "SHOW unix_socket_directories") == ""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**postgres_server.conninfo(), "password": "wrong"})
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(**{**postgres_server.conninfo(), "password": "", "passfile": "/dev/null"})


@every_major
def test_text_is_utf8_and_sorts_by_code_point(fresh_database: dict[str, Any]) -> None:
    with psycopg.connect(**fresh_database) as connection:
        encoding = connection.execute("SHOW server_encoding").fetchone()
        ordered = connection.execute(
            "SELECT array_agg(x ORDER BY x) FROM unnest(array['b', 'ä', 'a', 'B']) x"
        ).fetchone()
        upper = connection.execute("SELECT upper('ä')").fetchone()
    assert (encoding, ordered, upper) == (("UTF8",), (["B", "a", "b", "ä"],), ("Ä",))


def test_a_fresh_database_leaves_nothing_behind(
    postgres_server: Address, request: pytest.FixtureRequest
) -> None:
    names = "SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles) t(x)"
    before = value(postgres_server, names)
    databases = postgres.fresh_database.__wrapped__(postgres_server)  # type: ignore[attr-defined]
    with psycopg.connect(**next(databases), autocommit=True) as connection:
        connection.execute("CREATE ROLE left_over")
        connection.execute("CREATE TABLE t ()")
        connection.execute("ALTER TABLE t OWNER TO left_over")
        assert value(postgres_server, names) != before
    next(databases, None)
    assert value(postgres_server, names) == before


def test_data_outlive_the_server(server: PostgresServer) -> None:
    address = server.start()
    assert address.database == "sluice"
    with psycopg.connect(**address.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS x")
    assert server.start() == address  # already running
    status = server.status()
    assert status.running
    assert status.address == address

    server.stop()
    server.stop()
    assert not server.status().running
    assert not psutil.pid_exists(status.pid or 0)

    again = server.start()
    assert value(again, "SELECT x FROM kept") == 42
    assert again == address  # the same port, so that what was printed stays true


def test_removal_leaves_nothing(server: PostgresServer, paths: Paths) -> None:
    server.start()
    home = server.status().home
    server.remove()
    assert home is not None
    assert not home.exists()
    assert not paths.postgres_state.exists()
    server.remove()


def test_a_killed_server_comes_back_and_a_forgotten_one_is_found(
    server: PostgresServer, paths: Paths
) -> None:
    address = server.start()
    pid = server.status().pid
    assert pid is not None
    document = json.loads(paths.postgres_state.read_text())
    paths.postgres_state.write_text(json.dumps({**document, "process": None}))
    assert server.status().pid == pid  # by postmaster.pid
    assert server.start() == address
    assert server.status().pid == pid

    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    parent.kill()
    psutil.wait_procs(family, timeout=30)
    assert not server.status().running
    assert value(server.start(), "SELECT 1") == 1


def test_a_taken_port_is_replaced(server: PostgresServer, paths: Paths) -> None:
    address = server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", address.port)):
        other = server.start()
        assert other.port != address.port
        assert value(other, "SELECT 1") == 1


def test_an_initdb_that_was_cut_short_is_done_again(server: PostgresServer) -> None:
    server.start()
    home = server.status().home
    assert home is not None
    server.stop()
    (home / "initialised").unlink()
    (home / "data" / "PG_VERSION").unlink()
    assert value(server.start(), "SELECT 1") == 1


def test_data_of_another_version_are_refused_with_a_way_out(server: PostgresServer, paths: Paths) -> None:
    server.start()
    server.stop()
    home = server.status().home
    assert home is not None
    (home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(DevError, match=r"made by Postgres 9, .*`sluice dev down`"):
        server.start()


def test_a_server_that_cannot_start_says_why(server: PostgresServer, paths: Paths) -> None:
    server.start()
    server.stop()
    home = server.status().home
    assert home is not None
    with (home / "data" / "postgresql.conf").open("a") as stream:
        stream.write("nonsense = 1\n")
    with pytest.raises(DevError, match="nonsense"):
        server.start()


def test_secrets_stay_in_files_of_mode_600(server: PostgresServer, paths: Paths) -> None:
    address = server.start()
    home, pid = server.status().home, server.status().pid
    assert home is not None
    assert pid is not None
    assert address.password not in repr(address)
    assert address.password not in " ".join(psutil.Process(pid).cmdline())
    assert address.password not in paths.log("postgres").read_text()
    holders = [
        path for path in paths.root.rglob("*") if path.is_file() and address.password in path.read_text()
    ]
    assert holders == [paths.postgres_state]
    for path in (paths.postgres_state, paths.log("postgres")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (home / "data").stat().st_mode & 0o077 == 0
    assert not list(home.glob("password*"))


PROGRAM = """
import json, sys
from pathlib import Path
import psycopg
from dev.postgres import PostgresServer
from dev.state import Paths
server = PostgresServer(Paths(Path(sys.argv[1])), Path(sys.argv[2]))
try:
    address = server.start()
    with psycopg.connect(**address.conninfo()) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")  # from the programs' own lib and share
        print(connection.execute("SELECT current_setting('server_version_num')").fetchone()[0])
    server.stop()
    server.start()
finally:
    home = server.status().home
    server.remove()
assert not home.exists(), home
"""


def test_a_project_that_others_may_not_enter(tmp_path: Path) -> None:
    """As with `mktemp -d`: mode 700 above the programs, private files among them, and an empty environment."""
    closed = tmp_path / "closed"
    package = default_binaries().parent.parent
    shutil.copytree(package, closed / "lib" / package.name, ignore=shutil.ignore_patterns("*.a", "include"))
    bundled = package.parent / f"{package.name}.libs"
    if bundled.is_dir():
        shutil.copytree(bundled, closed / "lib" / bundled.name)
    for path in (closed / "lib").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)  # as under umask 077
    closed.chmod(0o700)
    binaries = closed / "lib" / package.name / default_binaries().parent.name / "bin"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, closed / ".sluice", binaries],
        env={"HOME": str(closed), "PATH": os.defpath},
        cwd=PROJECT,
        check=True,
        timeout=120,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user every test here already shows it")
def test_root_gives_the_server_away(server: PostgresServer) -> None:
    server.start()
    account = server_account()
    pid = server.status().pid
    assert account is not None
    assert pid is not None
    for process in [psutil.Process(pid), *psutil.Process(pid).children()]:
        assert process.uids() == (account.uid,) * 3
        assert process.gids() == (account.gid,) * 3
    groups = [
        line.split()[1:] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "Groups" in line
    ]
    assert groups == [[]]
