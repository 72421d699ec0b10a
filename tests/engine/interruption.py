"""SIGKILL of the engine while a chosen resource is in flight, and docs/recovery.md's steps, "An interrupted up"."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from botocore.exceptions import ClientError

from dev.emulator.client import session
from tests.engine.held_plugin import CLAIMED, FOLDER_VARIABLE, REACHED, WANTED
from tests.engine.project import ROOT, Project
from tests.support.waiting import until

CONTROL_SCHEMA, TABLE = (
    "pulumi-python:dynamic/sluice:ControlSchema",
    "pulumi-python:dynamic/sluice:DatasetTable",
)
# DDL in a schema stays in hand, its catalog rows written and not committed, while somebody holds the schema's lock.
SCHEMAS = {"sluice": CONTROL_SCHEMA, "datasets": TABLE}
KEYS = {CONTROL_SCHEMA: 4711, TABLE: 4712}
HOLD = f"""
CREATE FUNCTION public.hold() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'sluice') THEN
        PERFORM pg_advisory_xact_lock({KEYS[CONTROL_SCHEMA]});
    ELSIF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'datasets') THEN
        PERFORM pg_advisory_xact_lock({KEYS[TABLE]});
    END IF;
END $$;
CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION public.hold()"""
WAITING = "SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = ANY(%s)"
LONGEST_SECONDS = 120.0


@dataclass
class Interruption:
    """A project whose `up` is killed at the types in `wanted`, each once; `met` are those of the kills so far, in order."""

    project: Project
    environment: dict[str, str]
    folder: Path
    holder: psycopg.Connection[Any]
    wanted: list[str]
    met: list[str] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)

    def want(self, token: str) -> None:
        """Kill at this type once more."""
        self.wanted.append(token)
        if token in KEYS:
            self.holder.execute("SELECT pg_advisory_lock(%s)", [KEYS[token]])

    def kill(self) -> str:
        """Run `up` and SIGKILL the engine at whichever wanted type is in flight first; the type."""
        (self.folder / WANTED).write_text("\n".join(self.wanted), encoding="utf-8")
        for name in (CLAIMED, REACHED):
            (self.folder / name).unlink(missing_ok=True)
        told = self.folder / "told"
        with told.open("wb") as output:
            up = psutil.Popen(
                ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
                cwd=self.project.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(lambda: bool(self._reached()) or up.poll() is not None, told.read_text, LONGEST_SECONDS)
        assert up.poll() is None, f"up ended; it was to be killed at one of {self.wanted}\n{told.read_text()}"
        children = up.children(recursive=True)
        token = self._reached()
        up.kill()
        up.wait()
        for one in children:  # as the page says: on the machine where the engine ran, end what it left
            with suppress(psutil.NoSuchProcess):
                if "pulumi.dynamic" in one.cmdline():
                    one.kill()
        _, left = psutil.wait_procs(children, timeout=LONGEST_SECONDS)
        assert left == [], left
        self.wanted.remove(token)
        self.met.append(token)
        if token in KEYS:
            self.holder.execute("SELECT pg_advisory_unlock(%s)", [KEYS[token]])
        return token

    def recover(self) -> set[tuple[str, str]]:
        """Steps 1 to 4 of the page; what was in flight: `creating` or `updating`, and the type."""
        for file in self.project.state.rglob("*.attrs"):
            if file.stat().st_size == 0:
                file.unlink()
        self.project.pulumi("cancel", "--yes")
        state = json.loads(self.project.pulumi("stack", "export"))
        operations: list[dict[str, Any]] = state["deployment"].get("pending_operations") or []
        self.project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
        resources = [one["resource"] for one in operations if one["type"] == "creating"]
        self._import([(one, found) for one in resources if (found := self._identity(one))])
        return {(one["type"], one["resource"]["type"]) for one in operations}

    def _reached(self) -> str:
        """The wanted type that is in flight now, or "" ."""
        file = self.folder / REACHED
        if file.exists():
            return file.read_text(encoding="utf-8")
        keys = {KEYS[token]: token for token in self.wanted if token in KEYS}
        row = self.holder.execute(WAITING, [list(keys)]).fetchone() if keys else None
        return keys[row[0]] if row else ""

    def _identity(self, resource: dict[str, Any]) -> str | None:
        """The id of what the table of the page asks for, where it is there."""
        inputs, aws = resource["inputs"], session(self.project.emulator)
        name, account = inputs.get("name") or inputs.get("bucket"), self.project.emulator.account_id
        look: dict[str, Callable[[], Any]] = {
            "aws:iam/role:Role": lambda: aws.client("iam").get_role(RoleName=name) and name,
            "aws:iam/policy:Policy": lambda: aws.client("iam").get_policy(
                PolicyArn=f"arn:aws:iam::{account}:policy{inputs.get('path', '/')}{name}"
            )["Policy"]["Arn"],
            "aws:s3/bucket:Bucket": lambda: aws.client("s3").head_bucket(Bucket=name) and name,
            "postgresql:index/role:Role": lambda: self._has_role(name) and name,
        }
        try:
            return look.get(resource["type"], lambda: None)() or None
        except ClientError:
            return None

    def _has_role(self, name: str) -> bool:
        row = self.holder.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [name]).fetchone()
        return row is not None

    def _import(self, made: list[tuple[dict[str, Any], str]]) -> None:
        if not made:
            return
        resources = [
            {
                "type": one["type"],
                "name": one["urn"].rpartition("::")[2],
                "id": found,
                "parent": one["parent"],
                "provider": one["provider"].rpartition("::")[0],
            }
            for one, found in made
        ]
        names = {one[key]: one[key] for one in resources for key in ("parent", "provider")}
        file = self.folder / "import.json"
        file.write_text(json.dumps({"nameTable": names, "resources": resources}), encoding="utf-8")
        quiet = ("--yes", "--skip-preview", "--generate-code=false", "--protect=false")
        self.project.pulumi("import", "--file", str(file), *quiet)
        self.imported += [one["type"] for one in resources]


@contextmanager
def interruption(project: Project, folder: Path, wanted: list[str]) -> Iterator[Interruption]:
    """A project with providers that hold what is wanted, on a database that holds its DDL."""
    launchers = folder / "bin"
    launchers.mkdir(parents=True)
    for name in ("aws", "postgresql"):
        file = launchers / f"pulumi-resource-{name}"
        file.write_text(
            f'#!/bin/sh\nexec "$PULUMI_PYTHON_CMD" -u -m tests.engine.held_plugin {name} "$@"\n',
            encoding="utf-8",
        )
        file.chmod(0o755)
    variables = {
        "PATH": os.pathsep.join((str(launchers), project.environment["PATH"])),
        "PYTHONPATH": str(ROOT),
        FOLDER_VARIABLE: str(folder),
    }
    with psycopg.connect(**project.postgres, autocommit=True) as holder:
        holder.execute(HOLD)
        found = Interruption(project, project.environment | variables, folder, holder, [])
        for token in wanted:
            found.want(token)
        yield found
