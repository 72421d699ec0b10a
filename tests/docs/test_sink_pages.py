"""The sink's page and the runbook name what the code has, all of it and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from sink_runtime import settings
from sink_runtime.checks import FIXES
from sink_runtime.exits import MEANINGS
from sink_runtime.watch.gauges import DEPENDENCIES
from tools.pages import ROOT
from tools.sink_page import LOOKS_AT

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("sink", "runbook")}


def calls() -> Iterator[ast.Call]:
    """Every call in the sink's code."""
    for file in sorted((ROOT / "sink_runtime").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def literal(node: ast.Call) -> str | None:
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_the_runbook_has_every_line_that_complains() -> None:
    told = {
        literal(call)
        for call in calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("warning", "error") and literal(call)
    }
    table = PAGES["runbook"].split("\n## Log lines\n")[1].split("\n## ")[0]
    rows = set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE))
    assert rows == told | {"waiting"}, "`waiting` is logged by a variable of two levels"


def test_the_runbook_has_every_dependency() -> None:
    named = {
        literal(call) for call in calls() if isinstance(call.func, ast.Name) and call.func.id.endswith("Fault")
    }
    assert named - {None} <= {*DEPENDENCIES}
    missing = [name for name in DEPENDENCIES if f"**`{name}`**" not in PAGES["runbook"]]
    assert missing == []


def test_every_setting_is_explained_once() -> None:
    constants = {
        value for name, value in vars(settings).items() if name.isupper() and str(value).startswith(("SLUICE_", "AWS_"))
    }
    assert [one.name for one in settings.VARIABLES] == list(dict.fromkeys(one.name for one in settings.VARIABLES))
    assert {one.name for one in settings.VARIABLES} == constants


def test_every_check_is_explained() -> None:
    assert list(LOOKS_AT) == list(FIXES)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_metric_and_no_setting_that_is_not_there(page: str) -> None:
    metrics = set(re.findall(r"^\| `(sluice_sink_\w+)` \|", PAGES["sink"], flags=re.MULTILINE))
    assert set(re.findall(r"sluice_sink_\w+", PAGES[page])) <= metrics
    known = {one.name for one in settings.VARIABLES}
    assert set(re.findall(r"SLUICE_[A-Z_]+", PAGES[page])) <= known


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        name, _, anchor = target.partition("#")
        file = ROOT / "docs" / (name or f"{page}.md")
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_runbook_has_every_exit_code_and_every_metric() -> None:
    assert all(f"| {code} |" in PAGES["runbook"] for code in MEANINGS)
    metrics = set(re.findall(r"^\| `(sluice_sink_\w+)`", PAGES["sink"], flags=re.MULTILINE))
    assert metrics
    assert metrics - set(re.findall(r"sluice_sink_\w+", PAGES["runbook"])) == set()
