"""The pages on deploying: the file that a user begins with is right, and every alarm has its row and a place to go to."""

from __future__ import annotations

import re
from textwrap import dedent

from compiler.emit import alarms
from compiler.operation import Alarms
from compiler.stack import KEYS, load_stack
from tests.docs.test_sink_pages import anchors
from tests.support.datasets import alert_events
from tools.pages import ROOT

DOCS = ROOT / "docs"


def test_the_configuration_to_begin_with_is_right(tmp_path):
    page = (DOCS / "stack-configuration.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^    config:\n(?:    .*\n)+", page, flags=re.MULTILINE)
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(dedent(block))
    assert load_stack(path).problems == ()


def test_every_key_has_a_section():
    page = (DOCS / "stack-configuration.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## `sluice:(\w+)`$", page, flags=re.MULTILINE)) == sorted(KEYS)


def test_the_runbook_has_every_alarm_and_leads_somewhere():
    runbook = (DOCS / "runbook.md").read_text(encoding="utf-8")
    section = runbook.split("\n## Alarms\n")[1].split("\n## ")[0]
    every = Alarms(300, depth=1, in_flight=True, tasks_below_minimum=True, publish_failures=True)
    kinds = [one.kind for one in alarms.alarms_of(alert_events(alarms=every), "dev", "cluster")]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == kinds
    assert set(re.findall(r"\]\(#([\w-]+)\)", section)) <= anchors(runbook)


def test_the_way_to_deploy_leads_to_places_that_are_there():
    page = (DOCS / "deploy.md").read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([\w.-]*)#?([\w-]*)\)", page):
        found = (DOCS / (target or "deploy.md")).read_text(encoding="utf-8")
        assert not anchor or anchor in anchors(found), (target, anchor)
