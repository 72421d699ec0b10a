"""A project of its own for a test of the engine: the real program and datasets, an emulated AWS, a real Postgres."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql
from psycopg.conninfo import make_conninfo

from compiler.pipeline import compile_datasets
from dev.demo.project import PROGRAM
from dev.emulator.client import session
from dev.emulator.state import EmulatorState
from dev.stack import ADMIN_VARIABLE, STACK
from tests.support.emulator import policy

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A folder with the program, its stack `embedded`, and the environment in which the engine runs it."""

    folder: Path
    environment: dict[str, str]
    emulator: EmulatorState
    postgres: dict[str, Any]

    @property
    def state(self) -> Path:
        """The folder of the file backend."""
        return Path(self.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))

    def pulumi(self, *arguments: str, code: int = 0) -> str:
        """What the CLI prints, stdout and stderr together; AssertionError where it ends with another exit code."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"pulumi {' '.join(arguments)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def resources(self) -> dict[str, dict[str, Any]]:
        """The stack's resources in the state, by URN."""
        state = json.loads(self.pulumi("stack", "export"))
        return {one["urn"]: one for one in state["deployment"].get("resources") or []}


def make_project(
    folder: Path,
    environment: dict[str, str],
    emulator: EmulatorState,
    postgres: dict[str, Any],
    datasets: list[str],
    source: Path = ROOT / "datasets",
) -> Project:
    """A project that deploys these datasets; its stack is initialised, and whoever the manifests name exists."""
    folder.mkdir()
    for name in PROGRAM:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(source, folder / "datasets")
    (folder / ".venv").symlink_to(sys.prefix)
    _configure(folder, emulator, postgres, datasets)
    _principals(folder, emulator, postgres)
    made = Project(folder, environment | _credentials(emulator, postgres), emulator, postgres)
    made.pulumi("stack", "init", STACK)
    return made


def _configure(folder: Path, emulator: EmulatorState, postgres: dict[str, Any], datasets: list[str]) -> None:
    file = folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["config"] |= {
        "sluice:region": emulator.region,
        "sluice:datasets": datasets,
        "sluice:database": {
            "host": postgres["host"],
            "port": int(postgres["port"]),
            "name": postgres["dbname"],
            "auth": "secret",
            "sslmode": "disable",
            "superuser": True,
            "admin": f"env:{ADMIN_VARIABLE}",
        },
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


OPERATOR = "operator"  # whom the embedded stack's configuration names, in AWS and in Postgres


def _principals(folder: Path, emulator: EmulatorState, postgres: dict[str, Any]) -> None:
    """Roles that a stack binds and does not make."""
    compiled = [one.dataset for one in compile_datasets(folder).require()]
    iam = session(emulator).client("iam")
    trust = {"AWS": f"arn:aws:iam::{emulator.account_id}:root"}
    document = policy({"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"})
    for name in sorted({OPERATOR, *(name for one in compiled for name in one.producers)}):
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        except iam.exceptions.EntityAlreadyExistsException:
            continue  # of another test on this emulator
    with psycopg.connect(**postgres, autocommit=True) as connection:
        for name in sorted({OPERATOR, *(name for one in compiled for name in one.readers)}):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))


def _credentials(emulator: EmulatorState, postgres: dict[str, Any]) -> dict[str, str]:
    return {
        ADMIN_VARIABLE: make_conninfo("", **postgres),
        "PGUSER": postgres["user"],
        "PGPASSWORD": postgres["password"],
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": emulator.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": emulator.admin.secret_access_key,
        "AWS_REGION": emulator.region,
        "AWS_DEFAULT_REGION": emulator.region,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
