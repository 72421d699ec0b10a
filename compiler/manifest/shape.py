"""Has the manifest the shape that its JSON Schema asks for? jsonschema-rs decides, on a validator built once."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema_rs

from compiler.canonical import Json
from compiler.defaults import manifest_schema, resolve
from compiler.manifest.source import Source, read
from compiler.problems import Finding, Pointer, Problem


@dataclass(frozen=True)
class RawManifest:
    """A manifest whose shape is right: `value` is what its JSON Schema guarantees, with no default filled in."""

    value: dict[str, Json]
    folder: Path

    @property
    def name(self) -> str:
        """The name that the manifest gives itself; its folder may disagree."""
        return str(self.value["name"])


@dataclass(frozen=True)
class Loaded:
    """One manifest file as read.

    `problems` are those of the file as JSON, `findings` those of its shape. `manifest` is there when the shape is right.
    Where only some fields are wrong, `remainder` is the manifest without them, so that the meaning of the other
    sections can be checked in the same run; `doubtful` are the top-level fields that its findings may not be about.
    """

    source: Source
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    manifest: RawManifest | None
    remainder: RawManifest | None = None
    doubtful: frozenset[str | int] = frozenset()


def load(path: Path, file: str | None = None) -> Loaded:
    """Read one `dataset.json`, printed as `file`."""
    parsed = read(path, file)
    if not parsed.usable:
        return Loaded(parsed.source, parsed.problems, (), None)
    value, folder = parsed.source.value, path.parent
    if _validator().is_valid(value):
        return Loaded(parsed.source, parsed.problems, (), RawManifest(value, folder))
    findings = shape_findings(value)
    if not isinstance(value, dict):
        return Loaded(parsed.source, parsed.problems, findings, None)
    remainder = _remainder(value, findings, folder)
    return Loaded(parsed.source, parsed.problems, findings, None, remainder, _doubtful(value, findings))


def shape_findings(value: Json) -> tuple[Finding, ...]:
    """Everything in which `value` is not shaped like a manifest."""
    from compiler.explain import explain
    from compiler.manifest.left_out import refused_field, refused_value

    def with_reason(finding: Finding) -> Finding:
        if finding.rule == "unknown-field":
            return refused_field(finding.pointer) or finding
        return refused_value(finding.pointer, _at(value, finding.pointer)) or finding

    found = explain(_validator().iter_errors(value), manifest_schema())
    return tuple(dict.fromkeys(map(with_reason, found)))


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(manifest_schema(), validate_formats=True)


def _at(value: Json, pointer: Pointer) -> Json:
    for step in pointer:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _doubtful(value: dict[str, Json], findings: Iterable[Finding]) -> frozenset[str | int]:
    """The top-level fields that are wrong; record and table's columns are judged by each other."""
    pointers = [
        *(finding.pointer for finding in findings),
        *((name,) for name in _required() if name not in value),
    ]
    doubtful = {pointer[0] for pointer in pointers if pointer}
    if any(pointer[:1] == ("record",) or pointer[:2] == ("table", "columns") for pointer in pointers):
        doubtful |= {"record", "table"}
    return frozenset(doubtful)


def _required() -> list[str]:
    return list(manifest_schema()["required"])


def _remainder(value: dict[str, Json], findings: Iterable[Finding], folder: Path) -> RawManifest | None:
    """The manifest without what is wrong in it, where that is still one; required fields get their examples."""
    rest = copy.deepcopy(value)
    for finding in sorted(findings, key=lambda found: len(found.pointer), reverse=True):
        _drop(rest, finding.pointer)
    _mend(manifest_schema(), rest)
    return RawManifest(rest, folder) if _validator().is_valid(rest) else None


def _mend(schema: Json, value: dict[str, Json]) -> None:
    schema = resolve(schema)
    for name in schema.get("required", ()):
        below = resolve(schema["properties"][name])
        if name not in value and "examples" in below:
            value[name] = copy.deepcopy(below["examples"][0])
        elif isinstance(value.get(name), dict):
            _mend(below, value[name])


def _drop(value: Json, pointer: Pointer) -> None:
    """Remove the innermost field on the way to `pointer`; a list goes as a whole, its indices would shift."""
    fields = next((index for index, step in enumerate(pointer) if isinstance(step, int)), len(pointer))
    holder = _at(value, pointer[: fields - 1])
    if fields and isinstance(holder, dict):
        holder.pop(pointer[fields - 1], None)
