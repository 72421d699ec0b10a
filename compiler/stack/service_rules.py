"""What the schema cannot say of the keys for the sinks' services: network, cluster, image, pooler, alarm topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.problems import Finding, Pointer
from compiler.stack.config import EMBEDDED, EVERYONE, StackConfig
from compiler.stack.principal_rules import same_partition
from compiler.stack.rule import Rule
from compiler.suggest import fix_for, quoted

_REGION, _ACCOUNT = 3, 4  # parts of an ARN
_WIDEST = 8  # bits: the largest block that RFC 1918 keeps for private networks is 10.0.0.0/8


def _image(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    if name == EMBEDDED and "image" in values:
        message = f"the stack {quoted(EMBEDDED)} runs no container: its sinks are processes of this checkout."
        yield Finding(("image",), "stack-image", message, "Remove it.")
    if name != EMBEDDED and "image" not in values:
        message = '"sluice:image" is missing: the sinks of this stack run in containers.'
        fix = "Build deploy/sink.Containerfile, push it, and name it by its digest: repository@sha256:…"
        yield Finding((), "stack-missing-key", message, fix)


def _pooler(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    database = values["database"]
    has_pooler = database["pooler"] != "none"
    if has_pooler and "pooler_host" not in database:
        message = f"with pooler {quoted(database['pooler'])} the sinks must know where it is."
        yield Finding(("database", "pooler"), "stack-pooler", message, "Add pooler_host.")
    if not has_pooler and "pooler_host" in database:
        message = 'the sinks connect to "host" itself, since pooler is "none".'
        yield Finding(("database", "pooler_host"), "stack-pooler", message, "Remove it, or set pooler.")


def _blocks(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    for number, block in enumerate(values["network"]["database_cidrs"]):
        yield from _block(("network", "database_cidrs", number), block)


def _block(at: Pointer, block: str) -> Iterator[Finding]:
    try:
        network = IPv4Network(block)
    except ValueError as error:
        yield Finding(at, "stack-value", f"{quoted(block)} is no IPv4 block: {error}.")
        return
    if network.prefixlen < _WIDEST:
        message = f"{quoted(block)} is far more than a database's network: tasks would reach its port nearly anywhere."
        fix = "Name the blocks of the database's (or the pooler's) subnets."
        yield Finding(at, "stack-open-network", message, fix)


def _cluster(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """ECS services run in a cluster of their own account and region."""
    arn, account = values["cluster"], values["allowed_account_ids"][0]
    if not arn.startswith("arn:"):
        return
    yield from _same_region(("cluster",), arn, values["region"])
    if arn.split(":")[_ACCOUNT] != account:
        message = f"{quoted(arn)} is not in account {account}."
        yield Finding(("cluster",), "stack-elsewhere", message, "Name one of the stack's own account.")


def _topics(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    for owner, topic in values["alarm_topics"].items():
        yield from _same_region(("alarm_topics", owner), topic, values["region"])


def _same_region(at: Pointer, arn: str, region: str) -> Iterator[Finding]:
    if arn.split(":")[_REGION] != region:
        message = f"{quoted(arn)} is not in region {region}."
        yield Finding(at, "stack-elsewhere", message, "Name one of the stack's own region.")
    else:
        yield from same_partition(at, arn, region)


RULES: tuple[Rule, ...] = (
    (("image",), _image),
    (("database.pooler", "database.pooler_host"), _pooler),
    (("network.database_cidrs",), _blocks),
    (("cluster", "allowed_account_ids", "region"), _cluster),
    (("alarm_topics", "region"), _topics),
)


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
