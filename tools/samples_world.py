"""Where the samples of docs/migrations.md happen: a project in git, a Postgres of its own, and `sluice` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from compiler import names
from dev.postgres import Address, running_server
from dev.postgres_program import default_binaries
from tools.pages import ROOT

NAME = "alert_events"
PREFIX = "prod"
# What differs from run to run, and how the page writes it.
_MASKS = (
    (re.compile(r"\b(sha256:[0-9a-f]{4})[0-9a-f]{60}"), r"\1…"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "3f1c…"),
    (re.compile(r"\bpid [0-9]+"), "pid 4711"),
    (re.compile(r"\bopen for [0-9]+ s"), "open for 912 s"),
    (re.compile(r"\bseen [0-9]+ s ago"), "seen 2 s ago"),
    (re.compile(r"[0-9.]+ KiB"), "24.0 KiB"),
)
_GIT = ("-c", "user.name=sluice", "-c", "user.email=sluice@example.org", "-c", "commit.gpgsign=false")


class World:
    """A project with the dataset alert_events, and a database where its chain was applied."""

    def __init__(self, root: Path, address: Address) -> None:
        self.root = root
        self._address = address
        where = address.conninfo()
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PG", "GIT_"))},
            "PGHOST": str(where["host"]),
            "PGPORT": str(where["port"]),
            "PGUSER": str(where["user"]),
            "PGPASSWORD": str(where["password"]),
            "PGDATABASE": str(where["dbname"]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
        }

    def sluice(self, *arguments: str) -> str:
        """A command line and what it prints, masked."""
        return self._told(arguments, self.start(*arguments).communicate()[0])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command as a process; its two outputs are one."""
        return subprocess.Popen(
            [sys.executable, "-m", "compiler.cli.main", *arguments],
            cwd=self.root,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, words: str, then: Callable[[subprocess.Popen[str]], object], *arguments: str) -> str:
        """As `sluice`; `then` is done when a line with `words` has been printed."""
        lines: list[str] = []
        with self.start(*arguments) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if words in line:
                    then(process)
                    words = "\0"
        assert words == "\0", "".join(lines)
        return self._told(arguments, "".join(lines))

    def edit(self, change: Callable[[dict[str, Any]], object], name: str = NAME) -> None:
        """Change the manifest of a dataset."""
        path = self.root / "datasets" / name / "dataset.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @contextmanager
    def with_dataset(self, name: str) -> Iterator[None]:
        """Another of this repository's datasets in the project, for a while."""
        folder = self.root / "datasets" / name
        shutil.copytree(ROOT / "datasets" / name, folder)
        yield
        shutil.rmtree(folder)

    def git(self, *arguments: str, check: bool = True) -> None:
        """One git command in the project."""
        subprocess.run(
            ["git", *_GIT, *arguments], cwd=self.root, env=self._environment, check=check, capture_output=True
        )

    def commit(self, text: str) -> None:
        """All that is there."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)

    def database(self, *statements: str) -> None:
        """Done by hand, as the superuser."""
        with psycopg.connect(**self._address.conninfo(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(SQL(statement))

    @contextmanager
    def session(self, *statements: str) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of a nightly report, open after these statements."""
        conninfo = {**self._address.conninfo(), "application_name": "nightly report"}
        with psycopg.connect(**conninfo) as connection:
            for statement in statements:
                connection.execute(SQL(statement))
            yield connection

    def wait_for_no_build(self) -> None:
        """A server takes a moment to see that its client was killed."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active'"
        with psycopg.connect(**self._address.conninfo(), autocommit=True) as connection:

            def builds() -> bool:
                found = connection.execute(query).fetchone()
                return bool(found and found[0])

            Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.1), stop=stop_after_delay(60))(builds)

    def _told(self, arguments: tuple[str, ...], output: str) -> str:
        quoted = (f'"{one}"' if " " in one else one for one in arguments)
        return self.masked(f"$ sluice {' '.join(quoted)}\n{output}")

    def masked(self, text: str) -> str:
        """A text without what differs from run to run."""
        for pattern, instead in _MASKS:
            text = pattern.sub(instead, text)
        return text.replace(f"{self.root}/", "")


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """The project in `folder`, its chain committed and applied, with two rows; the server ends with it."""
    shutil.copytree(ROOT / "datasets" / NAME, folder / "datasets" / NAME)
    with running_server(default_binaries()) as address:
        made = World(folder, address)
        made.git("init", "-q", "-b", "main")
        made.commit("begin")
        made.database(f"CREATE ROLE {names.writer_role(PREFIX, NAME)} NOLOGIN")
        made.sluice("migrate", "apply", "--prefix", PREFIX)
        made.database(
            "INSERT INTO datasets.alert_events_v1 (org_id, dedupe_key, severity, raised_at, value, sender) VALUES"
            " ('9b1c0000-0000-4000-8000-000000000000', 'disk-full', 'critical', now(), 250, 'monitor'),"
            " ('77e00000-0000-4000-8000-000000000000', 'login', 'info', now(), 101, 'monitor')",
            "ANALYZE datasets.alert_events_v1",
        )
        yield made
