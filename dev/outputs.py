"""`.sluice/outputs.json`: the stack's exports and how to reach the servers; and what else `up` leaves in the folder.

It holds the administrators' passwords, hence mode 600. `pg_service.conf` beside it is for psql and other libpq tools,
so that no password stands on a command line.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import tasks
from dev.state import DevError, Paths, read_json, write_json, write_private

if TYPE_CHECKING:  # commands that only read the outputs start without a database driver
    from dev.postgres import Address
    from dev.servers import Servers

READERS_FILE = "readers.json"
OUTPUTS = "outputs.json"
SERVICES = "pg_service.conf"
ADMIN_SERVICE = "sluice"
# What one `up` made and a `down --keep-data` deletes; the resources' list stays with the data that it describes.
TRANSIENT = (OUTPUTS, SERVICES, "sinks.json", "unfinished.json", tasks.FILE)
LASTING = ("resources.json", READERS_FILE)


def write(
    paths: Paths, exports: Mapping[str, Any], both: Servers, readers: Mapping[str, str]
) -> Mapping[str, Any]:
    """Write outputs.json and the libpq services; returns the outputs."""
    admin = both.emulator.admin
    document = {
        **exports,
        "endpoint_url": both.emulator.endpoint_url,
        "region": both.emulator.region,
        "admin": {
            "aws_access_key_id": admin.access_key_id,
            "aws_secret_access_key": admin.secret_access_key,
        },
        "postgres": both.address.conninfo(),
        "readers": dict(readers),
    }
    write_json(paths.root / OUTPUTS, document)
    write_private(paths.root / SERVICES, _services(both.address, readers))
    return document


def forget_stale(paths: Paths, both: Servers) -> None:
    """Delete outputs that name servers which are gone, so that nobody follows them while `up` goes on."""
    document = read_json(paths.root / OUTPUTS)
    if document and (
        document["endpoint_url"] != both.emulator.endpoint_url
        or document["postgres"] != both.address.conninfo()
    ):
        (paths.root / OUTPUTS).unlink()


def load_outputs(project: Path, paths: Paths | None = None) -> dict[str, Any]:
    """The outputs of the last `up`. Raises DevError where the project's environment is not up."""
    found = (paths or Paths.of(project)).root / OUTPUTS
    document = read_json(found)
    if document is None:
        raise DevError(f"{found}: not found, so the embedded environment is not up. Run `sluice dev up`.")
    return document


def psql_line(paths: Paths, reader: str | None = None) -> str:
    """The command that opens psql as the administrator, or as one of the readers."""
    return f"PGSERVICEFILE={shlex.quote(str(paths.root / SERVICES))} psql service={reader or ADMIN_SERVICE}"


def remove_state(paths: Paths, *, keep_data: bool) -> None:
    """Delete what `up` wrote. With `keep_data` what belongs to Postgres' data stays."""
    for name in (*TRANSIENT, *(() if keep_data else LASTING)):
        (paths.root / name).unlink(missing_ok=True)
    for folder in (paths.tokens, paths.root / "home", *(() if keep_data else (paths.logs, paths.postgres))):
        shutil.rmtree(folder, ignore_errors=True)


def remove_folder(paths: Paths) -> None:
    """Delete the folder if nothing but the lock is left in it; not to be called with the lock held."""
    left = [entry for entry in paths.root.iterdir() if entry != paths.lock]
    if not left:
        shutil.rmtree(paths.root)


def _services(address: Address, readers: Mapping[str, str]) -> str:
    logins = {ADMIN_SERVICE: (address.superuser, address.password)}
    logins |= {reader: (reader, password) for reader, password in sorted(readers.items())}
    return "\n".join(
        f"[{name}]\nhost={address.host}\nport={address.port}\ndbname={address.database}\nuser={user}\npassword={password}\n"
        for name, (user, password) in logins.items()
    )
