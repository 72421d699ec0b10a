"""Read, check and build one stack's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.canonical import Json, JsonDocument
from compiler.dataset import Dataset
from compiler.manifest.assignment import Assignment, read_assignment
from compiler.problems import Problem, ProblemsError, errors, ordered
from compiler.stack import overrides, principal_rules, rule, rules, service_rules, shape
from compiler.stack.config import Database, Network, Principal, StackConfig
from compiler.stack.source import Source, read

KEYS: tuple[str, ...] = tuple(sorted(shape.schema()["properties"]))
"""The configuration keys, without their namespace."""

OWN = "own"
_RULES = (*rules.RULES, *principal_rules.RULES, *service_rules.RULES)


@dataclass(frozen=True)
class LoadedStack:
    """A stack's configuration where it is right, and every problem where it is not."""

    source: Source
    config: StackConfig | None
    problems: tuple[Problem, ...]
    readable: StackConfig | None = None  # what of a wrong one can be held against the datasets all the same

    def require(self) -> StackConfig:
        """The configuration. Raises ProblemsError with every problem."""
        if self.config is None:
            raise ProblemsError(self.problems)
        return self.config

    def serves(self, datasets: Iterable[Dataset]) -> tuple[Problem, ...]:
        """What this stack lacks for the datasets: unbound producers, readers and owners, names of nothing, wrong overrides."""
        if self.readable is None:
            return ()
        chosen = tuple(datasets)
        findings = (
            *rules.dataset_findings(self.readable, chosen),
            *principal_rules.dataset_findings(self.readable, chosen),
            *service_rules.dataset_findings(self.readable, chosen),
            *overrides.findings(self.readable, chosen),
        )
        return ordered(map(self.source.problem, findings))


def load_stack(path: Path, configured: Mapping[str, str] | None = None) -> LoadedStack:
    """The configuration in `Pulumi.<stack>.yaml`, with the engine's own values (text, by key) over the file's."""
    source, problems = read(path, configured or {})
    if errors(problems):
        return LoadedStack(source, None, ordered(problems))
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    values = {key: value for key, value in source.values.items() if not key.startswith("pulumi:")}
    shaped = tuple(shape.shape_findings(values))
    sound = rule.sound(values, shaped, shape.schema())
    named = "assignment" not in sound.broken  # else no file is looked for: the text may lead anywhere
    assigned, wrong = read_assignment(path.parent, values.get("assignment", name)) if named else (None, ())
    sound = replace(sound, values=_with_defaults(sound.values))
    unassigned = () if wrong or not named else tuple(rules.assignment_findings(name, values, assigned))
    found = [*shaped, *unassigned, *sound.findings(name, _RULES)]
    readable = None
    if not wrong and not unassigned and all(one.pointer[:1] == ("overrides",) for one in shaped):
        readable = _config(name, sound.values, assigned)
    if wrong or found:
        return LoadedStack(source, None, ordered([*wrong, *map(source.problem, found)]), readable)
    return LoadedStack(source, readable, (), readable)


def _with_defaults(values: Mapping[str, Json]) -> dict[str, Json]:
    """The values with the schema's defaults, of the right shape as far as they go."""
    top = shape.schema()["properties"]
    nested = {
        key: {**_defaults(top[key]["properties"]), **values[key]}
        for key in ("database", "network")
        if key in values
    }
    return {**_defaults(top), **values, **nested}


def _defaults(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {key: about["default"] for key, about in properties.items() if "default" in about}


def database_of(values: Mapping[str, Json]) -> Database:
    """The database of the key `database`, with the defaults, where its shape is known to be right."""
    complete = {**_defaults(shape.schema()["properties"]["database"]["properties"]), **values}
    return Database(**complete)


def _network(values: Mapping[str, Json]) -> Network:
    return Network(
        vpc=values["vpc"],
        subnets=tuple(values["subnets"]),
        database_cidrs=tuple(values["database_cidrs"]),
        security_groups=tuple(values["security_groups"]),
        assign_public_ip=values["assign_public_ip"],
    )


def _config(name: str, values: Mapping[str, Json], assigned: Assignment | None) -> StackConfig:
    return StackConfig(
        name=name,
        environment=values["environment"],
        prefix=values["prefix"],
        region=values["region"],
        account=values["allowed_account_ids"][0],
        datasets=assigned.datasets if assigned else tuple(values["datasets"]),
        principals=tuple(
            (who, Principal(entry.get("aws"), entry.get("postgres")))
            for who, entry in sorted(values["principals"].items())
        ),
        operator=_operator(values),
        database=database_of(values["database"]),
        network=_network(values["network"]),
        cluster=None if values["cluster"] == OWN else values["cluster"],
        image=values.get("image"),
        alarm_topics=tuple(sorted(values["alarm_topics"].items())),
        overrides=tuple(
            (dataset, JsonDocument.of(fields)) for dataset, fields in sorted(values["overrides"].items())
        ),
        encryption=values["encryption"],
        foundation=values["foundation"],
        permissions_boundary=values.get("permissions_boundary"),
        protect=values["protect"],
    )


def _operator(values: Mapping[str, Json]) -> Principal | None:
    entry = values.get("operator")
    return Principal(entry["aws"], entry["postgres"]) if entry else None
