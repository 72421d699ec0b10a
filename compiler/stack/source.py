"""`Pulumi.<stack>.yaml` as JSON values and the place of each, with the engine's configuration laid over it.

The engine's values decide (`pulumi up --config` can change them); the file says where a value stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from compiler.canonical import Json
from compiler.problems import Finding, Pointer, Problem, json_path

PREFIX = "sluice:"
LEVELS = 40  # of nesting; a configuration needs six

Place = tuple[int, int]


@dataclass(frozen=True)
class Source:
    """The stack's configuration keys: ours without their namespace, others with theirs (`aws:region`).

    `values` are the merged values; `places` line and column of each key and item in the file, from 1.
    """

    file: str
    values: Mapping[str, Json] = field(default_factory=dict)
    places: Mapping[Pointer, Place] = field(default_factory=dict)

    def problem(self, finding: Finding) -> Problem:
        """The finding at its place in the file; where the value has none, at the nearest one around it."""
        line, column = self._place(finding.pointer)
        return Problem(
            file=self.file,
            rule=finding.rule,
            message=finding.message,
            pointer=_key_path(finding.pointer),
            line=line,
            column=column,
            fix=finding.fix,
            severity=finding.severity,
        )

    def _place(self, pointer: Pointer) -> Place | tuple[None, None]:
        for length in range(len(pointer), -1, -1):
            if pointer[:length] in self.places:
                return self.places[pointer[:length]]
        return (None, None)


def read(path: Path, configured: Mapping[str, str]) -> tuple[Source, tuple[Problem, ...]]:
    """The stack's file with the engine's values over it. A file that cannot be read gives one problem and no values."""
    file = path.name
    over = {key: _decoded(text) for key, text in configured.items()}
    if over and not path.exists():  # `pulumi --config-file` named another one
        return Source(file, over), ()
    try:
        text = path.read_text(encoding="utf-8")
        if found := _beyond(file, text):
            return Source(file), (found,)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = {_own(key): value for key, value in _config(node).items()}
    except FileNotFoundError:
        fix = f"Write {file} beside Pulumi.yaml; Pulumi.embedded.yaml is an example."
        return Source(file), (Problem(file, "stack-file-missing", "there is no such file.", fix=fix),)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}."
        fix = f"Make {file} a file that may be read here."
        return Source(file), (Problem(file, "stack-file-missing", message, fix=fix),)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return Source(file), (_syntax(file, error),)
    places: dict[Pointer, Place] = {}
    repeats = tuple(_repeat(file, key, place) for key, place in _walk(node, (), places))
    return Source(file, {**values, **over}, places), repeats


def _key_path(pointer: Pointer) -> str:
    first, *rest = pointer or ("",)
    name = first if ":" in str(first) else f"{PREFIX}{first}"
    return json_path(("config", name, *rest)) if pointer else json_path(("config",))


def _own(key: object) -> str:
    """A key without namespace belongs to the project, as the engine reads it."""
    return str(key).removeprefix(PREFIX)


def _syntax(file: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "it is not UTF-8 text"
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return Problem(file, "stack-not-yaml", f"this is not YAML: {what}.", line=line, column=column)


def _beyond(file: str, text: str) -> Problem | None:
    """What a configuration needs none of, and what can make a short text endless: aliases, and any depth."""
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line, column = _at(event)
        if isinstance(event, yaml.AliasEvent):
            message = f"the alias *{event.anchor} stands for what another place has."
            return Problem(file, "stack-alias", message, line=line, column=column, fix="Write it out.")
        if level > LEVELS:
            message = f"what stands here is nested deeper than {LEVELS} levels."
            fix = "Close the brackets that are open; a configuration needs six levels."
            return Problem(file, "stack-not-yaml", message, line=line, column=column, fix=fix)
    return None


def _at(event: yaml.Event) -> Place | tuple[None, None]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (None, None)


def _repeat(file: str, key: str, place: Place) -> Problem:
    message = f"the key {json.dumps(key)} stands twice, and YAML would keep the last."
    return Problem(
        file, "stack-repeated-key", message, line=place[0], column=place[1], fix="Remove one of them."
    )


def _walk(node: yaml.Node | None, at: Pointer, places: dict[Pointer, Place]) -> Iterator[tuple[str, Place]]:
    """Fill in the places of everything below `config`; yield each key that stands twice in one mapping."""
    match node:
        case yaml.MappingNode():
            seen: set[str] = set()
            for key, value in node.value:
                place = (key.start_mark.line + 1, key.start_mark.column + 1)
                if key.value in seen:
                    yield key.value, place
                seen.add(key.value)
                pointer = (*at, _own(key.value) if at == ("config",) else key.value)
                if pointer[0] == "config":
                    places[pointer[1:]] = place
                yield from _walk(value, pointer, places)
        case yaml.SequenceNode():
            for number, item in enumerate(node.value):
                if at[:1] == ("config",):
                    places[(*at, number)[1:]] = (item.start_mark.line + 1, item.start_mark.column + 1)
                yield from _walk(item, (*at, number), places)
        case _:
            pass


def _config(node: yaml.Node | None) -> Mapping[str, Json]:
    """What stands under `config`; a file without it holds no configuration."""
    document = yaml.SafeLoader("").construct_document(node) if node is not None else None
    config = document.get("config") if isinstance(document, dict) else None
    return config if isinstance(config, dict) else {}


def _decoded(text: str) -> Json:
    """The engine hands objects, lists and booleans on as JSON text, and strings as they are (an account number too)."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list | bool) else text
