"""What one environment runs otherwise than a manifest says: a dataset's fields with the stack's over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.rules import OPERATION_RULES
from compiler.stack.config import EVERYONE, StackConfig
from compiler.suggest import fix_for, quoted


def overridden(stack: StackConfig, dataset: Dataset) -> Dataset:
    """The dataset as this environment runs it. What the sinks admit and the table are the manifest's own."""
    fields = _fields(stack, dataset.name)
    return replace(
        dataset,
        sink=replace(dataset.sink, **fields.get("sink", {})),
        alarms=replace(dataset.alarms, **fields.get("alarms", {})),
        buffer=replace(dataset.buffer, **fields.get("buffer", {})),
    )


def findings(stack: StackConfig, datasets: tuple[Dataset, ...]) -> Iterator[Finding]:
    """Overrides of no dataset, and those that break a rule of the manifest's own."""
    known = [dataset.name for dataset in datasets]
    for name, _ in stack.overrides:
        if name not in (EVERYONE, *known):
            fix = fix_for(name, known, "Add the dataset, or remove the entry.")
            yield Finding(
                ("overrides", name), "stack-names-no-dataset", f"no dataset is named {quoted(name)}.", fix
            )
    for dataset in datasets:
        if stack.selects(dataset.name) and _fields(stack, dataset.name):
            yield from _broken(stack, dataset)


def _broken(stack: StackConfig, dataset: Dataset) -> Iterator[Finding]:
    running = overridden(stack, dataset)
    value: dict[str, Json] = {
        "name": dataset.name,
        "buffer": asdict(running.buffer),
        "sink": asdict(running.sink),
        "alarms": asdict(running.alarms),
        "events": {"publish": running.publish_events},
    }
    manifest = RawManifest(value, Path())
    for rule in OPERATION_RULES:
        for finding in rule(manifest):
            place = _place(stack, dataset.name, finding)
            yield replace(finding, pointer=place, message=f"for {dataset.name}: {finding.message}")


def _place(stack: StackConfig, name: str, finding: Finding) -> tuple[str | int, ...]:
    """The entry that sets the field; where the manifest sets it, the dataset's entry as a whole."""
    section, field = finding.pointer[:2]
    entries = {who: entry.value for who, entry in stack.overrides}
    for who in (name, EVERYONE):
        if field in entries.get(who, {}).get(section, {}):
            return ("overrides", who, section, field)
    return ("overrides", name if name in entries else EVERYONE)


def _fields(stack: StackConfig, name: str) -> dict[str, dict[str, Json]]:
    """By section; a dataset's own entry counts more than that of every dataset, field by field."""
    entries = {who: entry.value for who, entry in stack.overrides}
    everyone, own = entries.get(EVERYONE, {}), entries.get(name, {})
    return {
        section: {**everyone.get(section, {}), **own.get(section, {})}
        for section in sorted(everyone.keys() | own.keys())
    }
