"""What only this machine knows of the stack `embedded`, laid over `Pulumi.embedded.yaml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from dev.postgres import Address
from dev.state import DevError

STACK = "embedded"
ADMIN_VARIABLE = "SLUICE_DATABASE_ADMIN"


def configured(address: Address) -> dict[str, str]:
    """The configuration values that stand over the file's, by key without its namespace, as JSON text."""
    return {"database": json.dumps(database(address))}


def database(address: Address) -> dict[str, Any]:
    """The stack's `database`. The administrator is named by an environment variable, never shown."""
    return {
        "host": address.host,
        "port": address.port,
        "name": address.database,
        "auth": "secret",
        "sslmode": "disable",
        "superuser": True,
        "admin": f"env:{ADMIN_VARIABLE}",
    }


def project_name(project: Path) -> str:
    """The `name` in Pulumi.yaml. Raises DevError where there is no such file."""
    file = project / "Pulumi.yaml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DevError(f"{file}: not found. Run `sluice dev` in the folder of the Pulumi program.") from error
    return str(document["name"])
