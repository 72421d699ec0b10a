"""Go programs are built once, kept under what they are made of, and what stands in the way is told."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tools.pulumi import build, engine
from tools.pulumi.build import BuildError, GoProgram, RefusedError

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="no Go is here")

HASH = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
MAIN = "package main\n\nvar version string\n\nfunc main() { print(version) }\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for programs; Go keeps its own, or it would compile its library for each test."""
    folder = tmp_path / "cache"
    if shutil.which("go"):
        asked = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True)
        monkeypatch.setenv("GOCACHE", asked.stdout.strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "sluice"


@pytest.fixture
def program(tmp_path: Path) -> GoProgram:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module one\n\ngo 1.21\n")
    (folder / "go.sum").touch()
    (folder / "main.go").write_text(MAIN)
    return GoProgram("one", folder, ".", "v1.2.3", "main.version")


@needs_go
def test_a_program_is_built_once_for_all_who_ask_at_once(
    program: GoProgram, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor(3) as pool:
        (path,) = set(pool.map(build.built, [program] * 3))
    assert subprocess.run([path], capture_output=True, check=True).stderr == b"v1.2.3"
    assert capfd.readouterr().err.count("building one v1.2.3") == 1
    left = {one.name for one in cache.iterdir() if one.suffix != ".lock"}
    assert left == {path.parent.name}
    assert {one.name for one in program.folder.iterdir()} == {"go.mod", "go.sum", "main.go"}


@needs_go
@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_a_changed_module_makes_another_program(program: GoProgram, file: str) -> None:
    before = program.checksum("go1.26")
    with (program.folder / file).open("a") as text:
        text.write("\n")
    assert program.checksum("go1.26") != before
    assert program.checksum("go1.27") != program.checksum("go1.26")


@needs_go
def test_code_that_does_not_compile_is_told_and_leaves_nothing(program: GoProgram, cache: Path) -> None:
    (program.folder / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    with pytest.raises(BuildError, match="undefined: nothing"):
        build.built(program)
    assert [one.suffix for one in cache.iterdir()] == [".lock"]


@pytest.fixture
def answer(
    program: GoProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], None]]:
    """The program needs a module; a call says with which status its source answers."""
    statuses: list[int] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[-1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with (program.folder / "go.mod").open("a") as text:
        text.write("\nrequire example.com/x v1.0.0\n")
    (program.folder / "go.sum").write_text(
        f"example.com/x v1.0.0 {HASH}\nexample.com/x v1.0.0/go.mod {HASH}\n"
    )
    (program.folder / "main.go").write_text('package main\n\nimport _ "example.com/x"\n\nfunc main() {}\n')
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("GOPROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield statuses.append
        server.shutdown()


@needs_go
@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_module_that_is_refused_is_told_apart(
    program: GoProgram, answer: Callable[[int], None], status: int
) -> None:
    answer(status)
    with pytest.raises(RefusedError, match=rf"(?s)a module of one is refused: .*example.com/x.*{status}"):
        build.built(program)


@needs_go
def test_a_source_in_trouble_refuses_nothing(program: GoProgram, answer: Callable[[int], None]) -> None:
    answer(503)
    with pytest.raises(BuildError, match="503") as told:
        build.built(program)
    assert not isinstance(told.value, RefusedError)


def test_without_go_the_reason_says_so(program: GoProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match="no Go is on the PATH"):
        build.built(program)


@pytest.mark.parametrize(("said", "taken"), [("{version}", True), ("v3.1.0", False)])
def test_an_ordinary_pulumi_is_taken_where_it_has_the_version_of_go_mod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, taken: bool
) -> None:
    version = engine.engine_version()
    ordinary = tmp_path / "pulumi"
    ordinary.write_text(f"#!/bin/sh\necho {said.format(version=version)}\n")
    ordinary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert engine.found_on_path(version) == (ordinary if taken else None)


def test_a_named_engine_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_PULUMI", "/somewhere/pulumi")
    assert engine.engine() == Path("/somewhere/pulumi")
