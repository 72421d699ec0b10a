"""The lock is complete, hashed, free of addresses, and every direct dependency is explained."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
SETS = ("sink", "runtime", "dev", "bench", "second_sqs")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct(name: str) -> set[str]:
    """The packages that requirements/<name>.in asks for itself."""
    lines = (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines()
    asked = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-r "))]
    return {canonical(re.split(r"[\[<>=!~;\s]", line)[0]) for line in asked}


def locked(name: str) -> dict[str, list[str]]:
    """Each `package==version` of requirements/<name>.txt, with its option lines."""
    pins: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            current = pins.setdefault(line.removesuffix("\\").strip(), [])
        else:
            current.append(line.strip().removesuffix("\\").strip())
    return pins


def versions(name: str) -> dict[str, str]:
    pins = (pin.split(";")[0].strip() for pin in locked(name))
    return {canonical(package): version for package, version in (pin.split("==") for pin in pins)}


@pytest.mark.parametrize("name", SETS)
def test_every_line_is_pinned_and_hashed(name: str) -> None:
    pins = locked(name)
    assert pins
    for pin, options in pins.items():
        assert re.match(r"^[a-z0-9][a-z0-9._-]*==[^\s;]+( ; .+)?$", pin), pin
        assert options, f"{pin} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), pin


@pytest.mark.parametrize("name", SETS)
def test_the_lock_holds_what_was_asked_for(name: str) -> None:
    assert direct(name) <= versions(name).keys(), "requirements/*.in changed: run make lock"


@pytest.mark.parametrize(("smaller", "larger"), [("sink", "runtime"), ("runtime", "dev")])
def test_a_larger_set_only_adds(smaller: str, larger: str) -> None:
    """Installing dev after runtime must not replace anything that a running environment uses."""
    assert versions(smaller).items() <= versions(larger).items()


@pytest.mark.parametrize("name", SETS)
def test_every_direct_dependency_is_explained(name: str) -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    explained = {
        canonical(package): cells[2].strip()
        for cells in rows
        for package in re.findall(r"`([^`]+)`", cells[1])
    }
    assert explained.keys() == direct(name)
    assert all(explained.values())


def test_bench_beside_dev_replaces_nothing() -> None:
    bench, dev = versions("bench"), versions("dev")
    assert {name: bench[name] for name in bench.keys() & dev.keys()}.items() <= dev.items()


def test_the_build_backend_is_in_the_lock() -> None:
    """`pip install --no-build-isolation -e .` finds it without an index."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert {canonical(package) for package in build["requires"]} <= direct("runtime")
