"""What the commands ask git: which files another commit has. Reads only."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from compiler.migrate import history
from compiler.migrate.retake import Commit

# The branches that others' plans come by, the first that there is.
MAIN = ("origin/main", "main")


class GitError(Exception):
    """Git is not there, or does not have what was asked for."""


def main_branch(folder: Path) -> str:
    """The branch that plans are merged into. Raises GitError."""
    for name in MAIN:
        if _has(folder, f"{name}^{{commit}}"):
            return name
    raise GitError(f"There is no branch {' or '.join(MAIN)}. Name the one that was first: --onto REF.")


def commit_of(folder: Path, ref: str, version: int) -> Commit:
    """A dataset's chain and history in a commit. Raises GitError where it has no such chain."""
    require_commit(folder, ref)
    place = f"migrations/v{version}"
    listed = _git(folder, "ls-tree", "--name-only", "-z", ref, "--", f"{place}/").decode().split("\0")
    names = [Path(path).name for path in listed if path]
    chain = {name: _git(folder, "show", f"{ref}:./{place}/{name}") for name in names}
    if not chain:
        raise GitError(f"{ref} has no migrations in {folder / place}.")
    past = f"{ref}:./{history.FILE}"
    return Commit(chain, _git(folder, "show", past) if _has(folder, past) else None)


def extract(folder: Path, ref: str, into: Path) -> None:
    """Write the files that a commit has in `folder` (and below) into another one. Raises GitError."""
    require_commit(folder, ref)
    with tarfile.open(fileobj=io.BytesIO(_git(folder, "archive", "--format=tar", ref))) as files:
        files.extractall(into, filter="data")


def last_with(folder: Path, version: int, number: int) -> str:
    """The last commit that has the migration: before the one that removed it, else any that added it. Raises GitError."""
    pattern = f":(glob)migrations/v{version}/{number:04d}_*.sql"
    if _in_head(folder, version, number):
        return "HEAD"
    removed = _log(folder, "--full-history", "-m", "--diff-filter=D", "HEAD", "--", pattern)
    if removed:
        return f"{removed}^"
    added = _log(folder, "--all", "--diff-filter=A", "--", pattern)
    if added:
        return added
    raise GitError(
        f"No commit here has migration {number:04d} of {folder.name} v{version}. Fetch the branch that has it."
    )


def require_commit(folder: Path, ref: str) -> None:
    """Raises GitError where git knows no such commit, or there is no git."""
    if _has(folder, f"{ref}^{{commit}}"):
        return
    if _run(folder, "rev-parse", "--git-dir").returncode:
        raise GitError(
            f"{folder.absolute()} is in no git repository, so that there is no commit {ref} to compare with."
        )
    raise GitError(f"git knows no commit {ref}. Fetch it (git fetch --depth is short), or name another.")


def names_of(folder: Path, ref: str, *places: str) -> list[str]:
    """The paths of a commit's files below the places, from `folder`. Raises GitError."""
    listed = _git(folder, "ls-tree", "-r", "--name-only", "-z", ref, "--", *places).decode().split("\0")
    return [path for path in listed if path]


def changed_since(folder: Path, ref: str) -> list[str]:
    """The paths, from `folder`, of what differs from the commit here and now, what git does not follow yet included."""
    differing = _git(folder, "diff", "--name-only", "--relative", "--no-renames", "-z", ref, "--", ".")
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return sorted({path for path in (differing + new).decode().split("\0") if path})


def content_of(folder: Path, ref: str, path: str) -> bytes | None:
    """A file of a commit; None where the commit does not have it. Raises GitError."""
    name = f"{ref}:./{path}"
    return _git(folder, "show", name) if _has(folder, name) else None


def _in_head(folder: Path, version: int, number: int) -> bool:
    listed = _git(folder, "ls-tree", "--name-only", "-z", "HEAD", "--", f"migrations/v{version}/").decode()
    return any(Path(path).name.startswith(f"{number:04d}_") for path in listed.split("\0"))


def _log(folder: Path, *arguments: str) -> str:
    return _git(folder, "log", "-1", "--format=%H", *arguments).decode().strip()


def _has(folder: Path, name: str) -> bool:
    return _run(folder, "rev-parse", "--verify", "--quiet", name).returncode == 0


def _git(folder: Path, *arguments: str) -> bytes:
    done = _run(folder, *arguments)
    if done.returncode:
        raise GitError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise GitError("There is no git on the PATH.") from None
