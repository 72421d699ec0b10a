"""A connection of the sink's own login, with settings that no role or database default can change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.adapt import Dumper
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from sink_runtime.plan import SinkPlan
from sink_runtime.postgres.errors import Action, DatabaseFault, Diagnosis, action_for
from sink_runtime.settings import Settings

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
# Well under the statement's: whoever waits for a lock is not slow, and no record is to blame (55P03, not 57014).
LOCK_SECONDS = 10
TEXT_CHARACTERS = 300  # of what libpq says
FRESH_CREDENTIALS = 2  # how often in a row a refused login fetches them again at once
LATER_CREDENTIALS = 4  # after that, at every so many refusals: a secret that is mended must be seen

# A statement's answer that is later than this never comes. The server's own timeout is no help where the way to it is
# broken and nobody says so, and keepalives are answered by whatever stands in between.
ANSWER_SECONDS = STATEMENT_SECONDS + 15
_LOOK_SECONDS = 1.0  # between two looks at the clock

# Over any setting of the role or the database: a commit that was told is on disk, and others' commits are seen.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on"

# Given at the start of the session, so they hold over ALTER ROLE ... SET and ALTER DATABASE ... SET. Behind a transaction
# pooler there is no session: there each transaction begins with them.
SESSION: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "search_path": "",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": "60s",
    "client_min_messages": "warning",
    # The write statement finds rows by the unique key only. A plan made while the table was tiny would scan it, and
    # would be kept as the table grows; and its made-up cost must not set off the JIT compiler.
    "enable_seqscan": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}


class Connection(psycopg.Connection[tuple[object, ...]]):
    """A connection on which nothing is waited for longer than ANSWER_SECONDS; then it is closed, and the wait fails."""

    def wait(self, gen: PQGen[RV], interval: float = _LOOK_SECONDS, timeout: float | None = None) -> RV:
        """As psycopg's own. Raises psycopg.OperationalError where the answer does not come."""
        try:
            return super().wait(gen, min(interval, _LOOK_SECONDS), timeout or ANSWER_SECONDS)
        except psycopg.OperationalError:
            if (
                self.pgconn.transaction_status == TransactionStatus.ACTIVE
            ):  # what it would answer next is unknown
                self.pgconn.finish()
            raise


class Text(bytes):
    """UTF-8 text for a parameter, as bytes: psycopg would take plain bytes for a bytea."""

    __slots__ = ()


class TextDumper(Dumper):
    """Sends `Text` as it is, of a type that the statement decides."""

    def dump(self, obj: Any) -> bytes:
        """The bytes themselves."""
        return bytes(obj)


class Database:
    """Opens the connection and keeps it; `current` is None while there is none."""

    def __init__(self, settings: Settings, plan: SinkPlan, login: Callable[[], Mapping[str, str]]) -> None:
        self._settings = settings
        self._plan = plan
        self._fetch = login
        self._login: Mapping[str, str] | None = None
        self._refusals = 0
        self.current: Connection | None = None

    @property
    def begin(self) -> str:
        """What a transaction of data begins with."""
        if not self._settings.has_pooler:
            return BEGIN
        return "; ".join([BEGIN, *(f"SET LOCAL {name} = '{value}'" for name, value in SESSION.items())])

    def connect(self) -> Connection:
        """A fresh connection in place of the old one. Raises Fault.

        A refused login drops the credentials, twice in a row and then now and then, so that the next try fetches them again.
        A token is made for each try.
        """
        self.close()
        if self._login is None or self._settings.database_auth == "iam":  # a token is of one connection
            self._login = self._fetch()
        try:
            conninfo = make_conninfo("", **_arguments(self._settings, self._plan), **_login(self._login))
            self.current = Connection.connect(conninfo, autocommit=True, cursor_factory=psycopg.RawCursor)
            self.current.adapters.register_dumper(Text, TextDumper)
            if self._settings.has_pooler:  # the next statement may meet another server session
                self.current.prepare_threshold = None
        except psycopg.Error as error:
            raise self._refusal(error) from None
        self._refusals = 0
        return self.current

    def close(self) -> None:
        """Drop the connection, whatever its state."""
        if self.current is not None:
            self.current.close()
            self.current = None

    def _refusal(self, error: psycopg.Error) -> DatabaseFault:
        said = None if error.sqlstate else _said(error)
        if said:
            diagnosis = Diagnosis(said, None, None)
            fault = DatabaseFault(diagnosis, action_for(diagnosis, self._plan, of_data=False))
        elif not _is_about_credentials(error):
            fault = DatabaseFault.of(error, self._plan)
        else:
            self._refusals += 1
            if self._refusals <= FRESH_CREDENTIALS or self._refusals % LATER_CREDENTIALS == 0:
                self._login = None
            fault = DatabaseFault(Diagnosis(error.sqlstate or "28000", None, None), Action.CREDENTIALS)
        fault.text = f"{fault.text}: {_first_line(error)}"
        return fault


# What a server says after it has taken the password, and libpq passes on as text alone (the source's
# src/backend/utils/init/postinit.c and storage/lmgr/proc.c). In another language the text is shown, and the login doubted.
_SAID = (
    (re.compile(r'database "[^"]*" does not exist'), "3D000"),
    (re.compile(r'permission denied for database "'), "42501"),
    (re.compile(r"too many clients already|remaining connection slots are reserved"), "53300"),
    (re.compile(r'too many connections for (database|role) "'), "53300"),
)


def _said(error: psycopg.Error) -> str | None:
    """The SQLSTATE of a refusal that is no matter of the login; None where the text tells of none."""
    text = str(error)
    return next((sqlstate for said, sqlstate in _SAID if said.search(text)), None)


def _is_about_credentials(error: psycopg.Error) -> bool:
    """Libpq gives no SQLSTATE for a connection that was never made: it tells that the server had asked for a password.

    What it says of itself after that, `_said` has found.
    """
    if error.sqlstate:
        return error.sqlstate.startswith("28")
    return bool(
        getattr(error.pgconn, "used_password", False) or getattr(error.pgconn, "needs_password", False)
    )


def _first_line(error: psycopg.Error) -> str:
    """What libpq says of a connection that was not made: it names addresses, files and roles, never a password, and no
    record has anything to do with it.
    """
    return str(error).partition("\n")[0].removeprefix("connection failed: ")[:TEXT_CHARACTERS]


def _login(secret: Mapping[str, str]) -> dict[str, str]:
    return {"user": secret["username"], "password": secret["password"]}


def _arguments(settings: Settings, plan: SinkPlan) -> dict[str, str | int]:
    session = {} if settings.has_pooler else {"options": _options()}
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "dbname": settings.database_name,
        "sslmode": settings.database_sslmode,
        "application_name": f"sluice sink {plan.dataset}",
        "client_encoding": "UTF8",
        **session,
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": (STATEMENT_SECONDS + 10) * 1000,
    }


def _options() -> str:
    return " ".join(f"-c {name}={value}" for name, value in SESSION.items())
