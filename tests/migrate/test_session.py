"""The session: direct, recent, UTF8; and no error that tells a password."""

import socket
import threading
from contextlib import closing, contextmanager

import pytest

from compiler.migrate import session
from compiler.migrate.errors import ConnectError
from tests.migrate.conftest import Database
from tests.support.postgres import every_major

SECRET = "hunter2-s3cret"


def test_settings_are_pinned(fresh_database):
    with session.connect(fresh_database) as connection:
        found = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
    assert found["TimeZone"] == "UTC"
    assert found["DateStyle"] == "ISO, YMD"
    assert found["search_path"] == ""
    assert found["default_transaction_read_only"] == "off"
    assert found["client_connection_check_interval"] == "1000"
    assert found["application_name"] == "sluice migrate"


@pytest.mark.parametrize(
    "conninfo",
    [
        f"postgresql://user:{SECRET}@127.0.0.1:port/db",
        f"postgresql://user:{SECRET}@[::1/db",
        f"password={SECRET} nonsense",
        f"host=127.0.0.1 port=1 password={SECRET} connect_timeout=1",
        {"host": "127.0.0.1", "port": 1, "password": SECRET, "connect_timeout": 1},
        {"host": "127.0.0.1", "port": SECRET, "password": SECRET},
        {"host": SECRET, "password": SECRET, "connect_timeout": 1},
        {"nonsense": SECRET},
    ],
)
def test_no_error_tells_the_password(conninfo):
    with pytest.raises(ConnectError) as caught, session.connect(conninfo):
        pass
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


def test_a_wrong_password_is_not_told(fresh_database):
    refused = pytest.raises(ConnectError, match="password authentication failed")
    with refused as caught, session.connect({**fresh_database, "password": SECRET}):
        pass
    assert SECRET not in str(caught.value)


def test_a_database_that_is_not_there_is_told_as_that(fresh_database):
    refused = pytest.raises(
        ConnectError, match=r'database "gone" does not exist\. Create the database, or name in PGDATABASE'
    )
    with refused, session.connect({**fresh_database, "dbname": "gone"}):
        pass


def test_the_password_of_the_environment_is_not_told(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", SECRET)
    with pytest.raises(ConnectError) as caught, session.connect({"host": SECRET, "connect_timeout": 1}):
        pass
    assert SECRET not in str(caught.value)


@every_major
def test_another_encoding_is_refused(fresh_database):
    database = Database(fresh_database)
    name = f"{fresh_database['dbname']}_latin"
    database.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        refused = pytest.raises(ConnectError, match=r"encoding is LATIN1.*ENCODING 'UTF8'")
        with refused, session.connect({**fresh_database, "dbname": name}):
            pass
    finally:
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_older_server_is_refused(fresh_database, monkeypatch):
    monkeypatch.setattr(session, "POSTGRES_MINIMUM", 99)
    with (
        pytest.raises(ConnectError, match="Sluice needs Postgres 99 or newer"),
        session.connect(fresh_database),
    ):
        pass


def test_a_pooler_is_refused(fresh_database):
    plain = {**fresh_database, "sslmode": "disable", "gssencmode": "disable"}
    refused = pytest.raises(ConnectError, match="A connection pooler stands before the server")
    with _pooler(plain["host"], plain["port"]) as port, refused, session.connect({**plain, "port": port}):
        pass


@contextmanager
def _pooler(host, port):
    """Passes bytes on, but tells the client a process id of its own, as poolers do (BackendKeyData, `K`)."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=_serve, args=(listener, host, port))
        thread.start()
        yield listener.getsockname()[1]
    thread.join(30)


def _serve(listener, host, port):
    client, _ = listener.accept()
    with closing(client), closing(socket.create_connection((host, port))) as server:
        up = threading.Thread(target=_pump, args=(client, server, lambda data: data))
        up.start()
        _pump(server, client, _another_pid)
        up.join(30)


def _pump(source, target, change):
    while data := source.recv(65536):
        target.sendall(change(data))
    target.shutdown(socket.SHUT_WR)


def _another_pid(data):
    at = data.find(b"K\x00\x00\x00\x0c")
    return data if at < 0 else data[: at + 5] + b"\x00\x00\x00\x01" + data[at + 9 :]
