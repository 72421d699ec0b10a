"""What the schema cannot say of the keys for the sinks' services: network, cluster, image, pooler, alarm topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.problems import Finding
from compiler.stack.config import EMBEDDED, EVERYONE, StackConfig
from compiler.suggest import fix_for, quoted

_REGION, _ACCOUNT = 3, 4  # parts of an ARN


def stack_findings(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """Findings on values of the right shape, defaults filled in."""
    yield from _image(name, values)
    yield from _pooler(values["database"])
    for number, block in enumerate(values["network"]["database_cidrs"]):
        yield from _block(number, block)
    if values["cluster"].startswith("arn:"):
        yield from _here(("cluster",), values["cluster"], values)
    for owner, topic in values["alarm_topics"].items():
        yield from _same_region(("alarm_topics", owner), topic, values["region"])


def _image(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    if name == EMBEDDED and "image" in values:
        message = f"the stack {quoted(EMBEDDED)} runs no container: its sinks are processes of this checkout."
        yield Finding(("image",), "stack-image", message, "Remove it.")
    if name != EMBEDDED and "image" not in values:
        message = '"sluice:image" is missing: the sinks of this stack run in containers.'
        fix = "Build deploy/sink.Containerfile, push it, and name it by its digest: repository@sha256:…"
        yield Finding((), "stack-missing-key", message, fix)


def _pooler(database: Mapping[str, Json]) -> Iterator[Finding]:
    has_pooler = database["pooler"] != "none"
    if has_pooler and "pooler_host" not in database:
        message = f"with pooler {quoted(database['pooler'])} the sinks must know where it is."
        yield Finding(("database", "pooler"), "stack-pooler", message, "Add pooler_host.")
    if not has_pooler and "pooler_host" in database:
        message = 'the sinks connect to "host" itself, since pooler is "none".'
        yield Finding(("database", "pooler_host"), "stack-pooler", message, "Remove it, or set pooler.")


def _block(number: int, block: str) -> Iterator[Finding]:
    try:
        IPv4Network(block)
    except ValueError as error:
        at = ("network", "database_cidrs", number)
        yield Finding(at, "stack-value", f"{quoted(block)} is no IPv4 block: {error}.")


def _here(at: tuple[str, ...], arn: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """ECS services run in a cluster of their own account and region."""
    yield from _same_region(at, arn, values["region"])
    account = values["allowed_account_ids"][0]
    if arn.split(":")[_ACCOUNT] != account:
        message = f"{quoted(arn)} is not in account {account}."
        yield Finding(at, "stack-elsewhere", message, "Name one of the stack's own account.")


def _same_region(at: tuple[str, ...], arn: str, region: str) -> Iterator[Finding]:
    if arn.split(":")[_REGION] != region:
        message = f"{quoted(arn)} is not in region {region}."
        yield Finding(at, "stack-elsewhere", message, "Name one of the stack's own region.")


def dataset_findings(stack: StackConfig, datasets: tuple[Dataset, ...]) -> Iterator[Finding]:
    """Owners whose alarms would tell nobody."""
    chosen = [dataset for dataset in datasets if stack.selects(dataset.name)]
    known = [owner for owner, _ in stack.alarm_topics if owner != EVERYONE]
    for owner in sorted({dataset.owner for dataset in chosen}):
        if stack.alarm_topic(owner) is None:
            names = ", ".join(sorted(dataset.name for dataset in chosen if dataset.owner == owner))
            message = f"owner {quoted(owner)} (of {names}) has no alarm topic: nobody would be told."
            otherwise = (
                f"Add to sluice:alarm_topics: {owner}: <ARN of an SNS topic>, or one for {quoted(EVERYONE)}."
            )
            yield Finding(("alarm_topics",), "stack-unbound", message, fix_for(owner, known, otherwise))
