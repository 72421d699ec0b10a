"""What a rule on a stack's configuration is, and which rules can be asked of a file that is wrong elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from compiler.canonical import Json
from compiler.problems import Finding

# The keys that a rule reads ("database.sslmode" of a section), and the rule: of the stack's name and the values.
Rule = tuple[tuple[str, ...], Callable[[str, Mapping[str, Json]], Iterator[Finding]]]

# Sections are judged field by field, tables of names entry by entry; any other key as a whole.
_SECTIONS = ("database", "network")
_TABLES = ("alarm_topics", "overrides", "principals")


@dataclass(frozen=True)
class Sound:
    """The well-formed part of a stack's values, and the keys that are not in it although they should be."""

    values: Mapping[str, Json]
    broken: frozenset[str]

    def findings(self, name: str, rules: tuple[Rule, ...]) -> Iterator[Finding]:
        """What the rules find that read nothing broken. The values have their defaults."""
        for needs, rule in rules:
            if self.broken.isdisjoint({*needs, *(key.partition(".")[0] for key in needs)}):
                yield from rule(name, self.values)


def sound(values: Mapping[str, Json], findings: tuple[Finding, ...], schema: Json) -> Sound:
    """The values without what the findings on their shape are about. A name in a table stays, without what it is bound to."""
    rest: dict[str, Json] = copy.deepcopy(dict(values))
    broken: set[str] = {key for key in schema["required"] if key not in values}
    for section in _SECTIONS:
        given = values.get(section)
        if isinstance(given, dict):
            wanted = schema["properties"][section]["required"]
            broken |= {f"{section}.{field}" for field in wanted if field not in given}
    for finding in findings:
        if finding.rule not in ("stack-missing-key", "stack-unknown-key"):
            _take_out(rest, finding, broken)
    return Sound(rest, frozenset(broken))


def _take_out(rest: dict[str, Json], finding: Finding, broken: set[str]) -> None:
    match finding.pointer:
        case (str(section), str(field), *_) if section in _SECTIONS:
            rest[section].pop(field, None)
            broken.add(f"{section}.{field}")
        case (str(table), str(name), *_) if table in _TABLES:
            _take_out_entry(rest, table, name)
        case (str(key), *_):
            rest.pop(key, None)
            broken.add(key)
        case _:
            pass


def _take_out_entry(rest: dict[str, Json], table: str, name: str) -> None:
    match table:
        case "alarm_topics":
            rest[table].pop(name, None)
        case "overrides" if (
            name == "*"
        ):  # it holds for every dataset, so that no entry can be judged by itself
            rest[table] = {each: {} for each in rest[table]}
        case _:
            rest[table][name] = {}
