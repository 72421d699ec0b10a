"""Removal in two reviewed stages: a tombstone, then the folder; and nothing that is simply gone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from compiler.cli.main import main
from compiler.manifest.tombstone import FILE
from compiler.pipeline import compile_datasets

TOMBSTONE = {"who": "shop", "why": "Nobody reads it.", "date": "2026-03-14", "data": "keep"}


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def git(*arguments: str) -> None:
    options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *options, *arguments], capture_output=True, check=True)


def commit() -> None:
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "x")


def rules(*options: str) -> list[str]:
    found = json.loads(sluice("check", "--format", "json", *options).stdout)
    return [problem["rule"] for problem in found["problems"] if problem["rule"] != "chain-missing"]


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a dataset, in a repository that has it, with its migration, in its one commit."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    for name in ("orders", "visits"):
        sluice("init", name, "--owner", "shop")
    assert sluice("plan").exit_code == 0
    commit()
    return Path("datasets/orders")


def seal(folder: Path, **changes: object) -> None:
    (folder / FILE).write_text(json.dumps({**TOMBSTONE, **changes}))


def test_a_tombstone_takes_the_producers_and_says_so(orders: Path) -> None:
    seal(orders)
    assert rules() == []
    sealed, other = (one.dataset for one in compile_datasets(Path()).require())
    assert (sealed.producers, other.producers) == ((), ("app",))
    assert (
        json.loads(sluice("show", "orders", "--format", "json").stdout)["sealed"]["why"] == "Nobody reads it."
    )
    refused = sluice("publish", "orders", str(orders / "examples/valid/minimal.json"))
    assert refused.exit_code == 1
    assert "orders is sealed since 2026-03-14 by shop" in refused.stderr


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": "burn"}, '"burn" is not one of "keep", "export", "drop"'),
        ({"date": "soon"}, '"soon" is not in the format "date". Expected a day as "2026-03-14".'),
        ({"why": ""}, "Expected the reason in a sentence."),
        (
            {"date": "2999-01-01"},
            '"2999-01-01" is to come, and this is the day on which the removal was decided.',
        ),
        ({"exported_to": "s3://x"}, '"exported_to" serves data "export", and data is "keep"'),
        ({"data": "drop", "exported_to": "s3://x"}, 'and data is "drop"'),
        ({"whom": "x"}, 'There is no field "whom". Did you mean "who"?'),
    ],
)
def test_a_wrong_tombstone_is_told_with_its_place(orders: Path, changes: dict, told: str) -> None:
    seal(orders, **changes)
    found = sluice("check")
    assert found.exit_code == 1
    assert f"datasets/orders/{FILE}:1:" in found.stderr
    assert told in found.stderr


def test_what_a_tombstone_says_moves_no_cursor(orders: Path) -> None:
    seal(orders, why="Gone.\x1b[2J\rAll is well é", who="shop\x9b")
    refused = sluice("publish", "orders", str(orders / "examples/valid/minimal.json")).stderr
    assert "by shop\\x9b, and takes no more records: Gone.\\x1b[2J\\rAll is well é" in refused
    assert not {"\x1b", "\r", "\x9b"} & set(refused)


def test_a_folder_that_is_simply_gone_is_refused_with_the_way_out(orders: Path) -> None:
    shutil.rmtree(orders)
    assert rules() == []
    assert rules("--base", "main") == ["dataset-gone"]
    found = sluice("check", "--base", "main")
    assert found.exit_code == 1
    assert "git checkout main -- datasets/orders" in found.stderr


def test_a_sealed_one_may_go_in_a_later_commit(orders: Path) -> None:
    seal(orders)
    commit()
    shutil.rmtree(orders)
    assert rules("--base", "main") == []


def test_what_was_to_be_exported_goes_once_it_is_said_where_it_is(orders: Path) -> None:
    seal(orders, data="export")
    commit()
    shutil.rmtree(orders)
    assert rules("--base", "main") == ["dataset-not-exported"]
    git("checkout", "main", "--", "datasets/orders")
    seal(orders, data="export", exported_to="s3://archive/orders/")
    commit()
    (sealed, _) = (one.dataset for one in compile_datasets(Path()).require())
    assert sealed.tombstone
    assert sealed.tombstone.drops
    shutil.rmtree(orders)
    assert rules("--base", "main") == []


def test_a_version_that_goes_backwards_is_refused(orders: Path) -> None:
    file = orders / "dataset.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "version": 2}))
    assert sluice("plan").exit_code == 0
    commit()
    shutil.rmtree(orders / "migrations" / "v2")  # without git nobody could tell
    file.write_text(json.dumps(manifest))
    assert "version-backwards" not in rules()
    assert "version-backwards" in rules("--base", "main")
    assert "Set it to 2, or to 3" in sluice("check", "--base", "main").stderr


def test_a_version_that_goes_backwards_beside_its_migrations_is_told_once(orders: Path) -> None:
    file = orders / "dataset.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "version": 2}))
    assert sluice("plan").exit_code == 0
    commit()
    file.write_text(json.dumps(manifest))
    assert rules("--base", "main") == ["version-backwards"]
    assert rules("--base", "main", "datasets/visits") == ["version-backwards"]


def test_a_commit_that_git_does_not_know_is_told(orders: Path) -> None:
    found = sluice("check", "--base", "nowhere")
    assert (found.exit_code, found.stderr[:39]) == (1, "sluice: git knows no commit nowhere. Fe")


def test_a_folder_that_is_in_no_repository_is_told_so(orders: Path) -> None:
    shutil.rmtree(".git")
    found = sluice("check", "--base", "HEAD")
    assert found.exit_code == 1
    assert "is in no git repository, so that there is no commit HEAD" in found.stderr
