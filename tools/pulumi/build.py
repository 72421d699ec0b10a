"""Go modules -> programs, each built once and kept in the user's cache folder.

A program is kept under a checksum of all that goes into it: the module's files, Go's version and the flags. So two
checkouts with the same modules share one, and a changed `go.sum` makes another. A lock lets one process build while
others wait for it; a build that is cut off leaves nothing that could be taken for a program.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

# What makes a build repeatable to the byte, and free of C. Two compilers at a time take 1.8 GiB.
SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=readonly -p=2"}
SECONDS_BETWEEN_WORDS = 30.0

# How Go tells that the source of modules answered, and said no: an HTTP status of the client's fault.
_REFUSAL = re.compile(r"reading \S+: 4\d\d |unexpected status \(4\d\d|: 4\d\d (Forbidden|Gone|Not Found)")
_PACKAGE = re.compile(r"[\w./~@-]+")  # a line of `go build -v`: one package compiled


class BuildError(Exception):
    """The program cannot be had on this machine; the text says why."""


class RefusedError(BuildError):
    """The source of Go modules refuses one that the program needs: nothing that this project could mend."""


@dataclass(frozen=True)
class GoProgram:
    """A program in a Go module of ours: `folder` has go.mod and go.sum, `package` is what is compiled."""

    name: str
    folder: Path
    package: str
    version: str
    version_variable: str  # the Go variable that says the version
    tags: str = ""

    def flags(self) -> list[str]:
        """The arguments of `go build`, without the output and the package."""
        tags = [f"-tags={self.tags}"] if self.tags else []
        return ["-v", "-trimpath", *tags, "-ldflags", f"-s -w -X {self.version_variable}={self.version}"]

    def checksum(self, go_version: str) -> str:
        """Sixteen digits that stand for everything that goes into the program."""
        digest = hashlib.sha256()
        for file in sorted(self.folder.glob("go.*")) + sorted(self.folder.glob("*.go")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        digest.update(repr((go_version, sorted(SETTINGS.items()), self.package, self.flags())).encode())
        return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where built programs are kept: `sluice` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def built(program: GoProgram) -> Path:
    """The program's file; built unless it is there, which takes minutes. Raises BuildError, RefusedError."""
    home = cache_folder() / f"{program.name}-{program.checksum(_go_version())}"
    file = home / program.name
    if not file.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(home.with_suffix(".lock")):
            if not file.exists():
                _build(program, home)
    return file


def _go_version() -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError("no Go is on the PATH to build it")
    asked = subprocess.run(
        [go, "env", "GOVERSION"], env=os.environ | SETTINGS, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise BuildError(f"`go env` fails: {asked.stderr.strip()}")
    return asked.stdout.strip()


def _build(program: GoProgram, home: Path) -> None:
    say(f"building {program.name} {program.version} from its Go modules, once; this takes minutes")
    with tempfile.TemporaryDirectory(prefix=f"{program.name}-", dir=home.parent) as made:
        command = ["go", "build", "-o", f"{made}/", *program.flags(), program.package]
        with subprocess.Popen(
            command, cwd=program.folder, env=os.environ | SETTINGS, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            complaints = list(_told(program.name, process.stderr))
        if process.returncode:
            raise _failure(program, complaints)
        (path,) = Path(made).iterdir()
        done = Path(made) / "done"
        done.mkdir()
        path.rename(done / program.name)
        done.rename(home)
    say(f"{program.name} {program.version} is built: {home / program.name}")


def _told(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Follow `go build -v`: a word now and then for the user, and every line that is no progress."""
    compiled, started = 0, time.monotonic()
    spoken = started
    for line in map(str.strip, lines):
        if _PACKAGE.fullmatch(line):
            compiled += 1
        elif not line.startswith("go: downloading "):
            yield line
        now = time.monotonic()
        if now - spoken >= SECONDS_BETWEEN_WORDS:
            spoken = now
            say(f"{name}: {compiled} packages compiled, {now - started:.0f} s")


def _failure(program: GoProgram, complaints: list[str]) -> BuildError:
    told = "\n".join(complaints[-20:])
    if refusals := [line for line in complaints if _REFUSAL.search(line)]:
        return RefusedError(f"a module of {program.name} is refused: {refusals[0]}")
    return BuildError(f"{program.name} {program.version} does not build:\n{told}")


def say(text: str) -> None:
    """One line for whoever waits."""
    print(f"sluice: {text}", file=sys.stderr, flush=True)
