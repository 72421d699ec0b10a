"""State files are private, whole and locked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.emulator.launch import Emulator
from dev.state import DevError, Paths, locked, read_json, write_json, write_private


def test_the_folder_is_the_projects_unless_the_environment_names_one(tmp_path: Path) -> None:
    assert Paths.of(tmp_path, {}).root == tmp_path / ".sluice"
    assert Paths.of(tmp_path, {"SLUICE_HOME": ""}).root == tmp_path / ".sluice"
    assert Paths.of(tmp_path, {"SLUICE_HOME": "/elsewhere"}).root == Path("/elsewhere")


def test_documents_are_private_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert read_json(path) is None
    write_json(path, {"b": 1, "a": "ä"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(read_json(path) or {}) == ["a", "b"]


def test_a_failed_write_leaves_the_old_document(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert read_json(path) == {"a": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_damaged_document_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DevError, match=r"x\.json: damaged"):
        read_json(path)


def test_two_commands_never_mix(tmp_path: Path) -> None:
    paths = Paths(tmp_path / ".sluice")
    with locked(paths), pytest.raises(DevError, match="another `sluice dev`"), locked(paths, seconds=0.05):
        pass
    with locked(paths, seconds=0.05):
        assert paths.root.stat().st_mode & 0o777 == 0o700


def test_an_emulator_is_started_once_and_stopped_for_good(tmp_path: Path) -> None:
    paths = Paths(tmp_path / ".sluice")
    emulator = Emulator(paths, region="us-west-2")
    assert emulator.status() is None
    try:
        state = emulator.start()
        assert state.region == "us-west-2"
        assert Emulator(paths).start() == state
        assert emulator.pid() is not None
    finally:
        emulator.stop()
    assert (emulator.status(), emulator.pid()) == (None, None)
    assert not paths.emulator_state.exists()
    emulator.stop()
