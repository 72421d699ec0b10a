"""Read, check and build one stack's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.problems import Problem, ProblemsError, errors, ordered
from compiler.stack import rules, shape
from compiler.stack.config import Database, Principal, StackConfig
from compiler.stack.source import Source, read

KEYS: tuple[str, ...] = tuple(sorted(shape.schema()["properties"]))
"""The configuration keys, without their namespace."""


@dataclass(frozen=True)
class LoadedStack:
    """A stack's configuration where it is right, and every problem where it is not."""

    source: Source
    config: StackConfig | None
    problems: tuple[Problem, ...]

    def require(self) -> StackConfig:
        """The configuration. Raises ProblemsError with every problem."""
        if self.config is None:
            raise ProblemsError(self.problems)
        return self.config

    def serves(self, datasets: Iterable[Dataset]) -> tuple[Problem, ...]:
        """What this stack lacks for the datasets: unbound producers and readers, patterns that name nothing."""
        if self.config is None:
            return ()
        return ordered(map(self.source.problem, rules.dataset_findings(self.config, tuple(datasets))))


def load_stack(path: Path, configured: Mapping[str, str] | None = None) -> LoadedStack:
    """The configuration in `Pulumi.<stack>.yaml`, with the engine's own values (text, by key) over the file's."""
    source, problems = read(path, configured or {})
    if errors(problems):
        return LoadedStack(source, None, ordered(problems))
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    values = {key: value for key, value in source.values.items() if not key.startswith("pulumi:")}
    findings = tuple(shape.shape_findings(values))
    if not findings:
        complete = _with_defaults(values)
        findings = tuple(rules.stack_findings(name, complete))
        if not findings:
            return LoadedStack(source, _config(name, complete), ())
    return LoadedStack(source, None, ordered(map(source.problem, findings)))


def _with_defaults(values: Mapping[str, Json]) -> dict[str, Json]:
    """The values with the schema's defaults, of the right shape already."""
    top = shape.schema()["properties"]
    database = {**_defaults(top["database"]["properties"]), **values["database"]}
    return {**_defaults(top), **values, "database": database}


def _defaults(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {key: about["default"] for key, about in properties.items() if "default" in about}


def database_of(values: Mapping[str, Json]) -> Database:
    """The database of the key `database`, with the defaults, where its shape is known to be right."""
    complete = {**_defaults(shape.schema()["properties"]["database"]["properties"]), **values}
    return Database(**{key: value for key, value in complete.items() if key != "auth"})


def _config(name: str, values: Mapping[str, Json]) -> StackConfig:
    return StackConfig(
        name=name,
        environment=values["environment"],
        prefix=values["prefix"],
        region=values["region"],
        account=values["allowed_account_ids"][0],
        datasets=tuple(values["datasets"]),
        principals=tuple(
            (who, Principal(entry.get("aws"), entry.get("postgres")))
            for who, entry in sorted(values["principals"].items())
        ),
        operator=_operator(values),
        database=database_of(values["database"]),
        permissions_boundary=values.get("permissions_boundary"),
        protect=values["protect"],
    )


def _operator(values: Mapping[str, Json]) -> Principal | None:
    entry = values.get("operator")
    return Principal(entry["aws"], entry["postgres"]) if entry else None
