"""Alarms that are asked for and could never ring, or always."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.defaults import default
from compiler.manifest import RawManifest
from compiler.problems import Finding


def tasks_have_a_minimum(manifest: RawManifest) -> Iterator[Finding]:
    """Where none need run, fewer cannot."""
    if _value(manifest, "alarms", "tasks_below_minimum") and _value(manifest, "sink", "min_tasks") == 0:
        yield Finding(
            ("alarms", "tasks_below_minimum"),
            "alarm-never-rings",
            "With sink.min_tasks 0 no number of sinks is too small.",
            "Remove it, or set min_tasks to 1 or more.",
        )


def failures_have_events(manifest: RawManifest) -> Iterator[Finding]:
    """A dataset that publishes nothing cannot fail to."""
    if _value(manifest, "alarms", "publish_failures") and not _value(manifest, "events", "publish"):
        yield Finding(
            ("alarms", "publish_failures"),
            "alarm-never-rings",
            "With events.publish false no event is published that could fail.",
            "Remove it, or publish the events.",
        )


def _value(manifest: RawManifest, section: str, name: str) -> object:
    given = manifest.value.get(section, {})
    return given[name] if name in given else default(section, name)


ALARM_RULES = (tasks_have_a_minimum, failures_have_events)
