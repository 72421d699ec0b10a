"""The Makefile: helpful without arguments, clear about an old Python, idle when nothing changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


def make(*arguments: str, cwd: Path = ROOT, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(cwd), "PATH": path or os.environ["PATH"]}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_help_is_the_default_and_lists_every_target() -> None:
    done = make()
    assert done.returncode == 0
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    assert listed == {
        "campaign",
        "clean",
        "demo",
        "engine",
        "engine-test",
        "format",
        "golden",
        "help",
        "lint",
        "lock",
        "pages",
        "samples",
        "setup",
        "test",
    }


def test_an_old_python_is_named_with_the_way_out(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", cwd=tmp_path)
    assert done.returncode != 0
    assert "Sluice needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_engine_is_built_beside_the_other_tests(tmp_path: Path) -> None:
    """`make test` starts the build before lint and the tests, waits for neither, and goes on where it fails."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    install_fakes(tmp_path, building="read ended <pipe")
    os.mkfifo(tmp_path / "pipe")
    for program in ("ruff", "mypy", "lint-imports"):
        (tmp_path / ".venv" / "bin" / program).symlink_to("python")
    try:
        assert make("test", cwd=tmp_path).returncode == 0
        asked = calls(tmp_path)
        assert "-m pytest -n 3 --dist worksteal" in asked
        assert [call for call in asked if call.startswith("ended")] == []
    finally:
        (tmp_path / "pipe").write_text("now\n", encoding="utf-8")
    until(lambda: "-m tools.pulumi.engine postgresql" in calls(tmp_path))


@pytest.mark.parametrize("demo", ["0", "1"])
def test_keep_is_passed_to_the_demo_only_when_asked(demo: str) -> None:
    done = make("--dry-run", "demo", f"KEEP={demo}")
    assert ("--keep" in done.stdout) == (demo == "1")


def test_the_environment_is_set_up_once_for_one_lock(tmp_path: Path) -> None:
    """A stamp carries the checksum of the lock: touching a file does nothing, changing it does."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "requirements").mkdir()
    lock = tmp_path / "requirements" / "runtime.txt"
    lock.write_text("one\n", encoding="utf-8")
    install_fakes(tmp_path)
    assert make("demo", cwd=tmp_path).returncode == 0
    first = calls(tmp_path)
    assert [call for call in first if "-r requirements/runtime.txt" in call]
    lock.touch()
    make("demo", cwd=tmp_path)
    assert calls(tmp_path) == [*first, "-m dev.demo"]
    lock.write_text("two\n", encoding="utf-8")
    make("demo", cwd=tmp_path)
    assert sum("-r requirements/runtime.txt" in call for call in calls(tmp_path)) == 2


def install_fakes(folder: Path, building: str = ":") -> None:
    """A .venv whose python writes down what it was asked to do; `building` is what it does for the engine."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    script = f"""#!/bin/sh
cd {folder}
echo "$@" >>calls
case "$*" in *tools.pulumi.engine) {building}; echo "ended $@" >>calls; exit 1;; esac
"""
    python.write_text(script, encoding="utf-8")
    python.chmod(0o755)
    (folder / ".venv" / ".made").touch()


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").splitlines()
