"""What `__main__.py` is made of: the stack's configuration, what is deployed, and what the stack exports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pulumi
import pulumi_aws as aws
import pulumi_postgresql as postgresql
from pulumi.runtime.sync_await import _sync_await

from compiler import names
from compiler.dataset import Dataset
from compiler.emit.deployed import deployed
from compiler.emit.pulumi.dataset import BufferedDataset, CompiledUnit
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.pulumi.foundation import OUTPUT
from compiler.emit.pulumi.operator import OperatorAccess
from compiler.emit.pulumi.producers import ProducerAccess
from compiler.emit.pulumi.table_provider import TableTarget
from compiler.migrate.chain import read_chain
from compiler.migrate.model import Phase
from compiler.problems import Problem, ProblemsError, Severity, errors
from compiler.stack import KEYS, LoadedStack, StackConfig, load_stack

Folders = Iterable[tuple[Dataset, Path]]


def configuration(root: Path) -> LoadedStack:
    """`Pulumi.<stack>.yaml` in the project's root, with the engine's own values over the file's."""
    config = pulumi.Config("sluice")
    configured = {key: value for key in KEYS if (value := config.get(key)) is not None}
    return load_stack(root / f"Pulumi.{pulumi.get_stack()}.yaml", configured)


def require(problems: Iterable[Problem]) -> None:
    """Nothing is deployed from input that has an error. Raises pulumi.RunError, which prints without a traceback."""
    found = tuple(problems)
    if errors(found):
        fail(ProblemsError(found))


class RefusedError(pulumi.RunError):
    """The program declares nothing for these problems."""

    def __init__(self, error: ProblemsError) -> None:
        self.problems = error.problems
        super().__init__(f"nothing was changed, because:\n{error}")


def fail(error: ProblemsError) -> NoReturn:
    """End the program with every problem."""
    raise RefusedError(error) from None


def units(
    stack: StackConfig, root: Path, datasets: Folders
) -> tuple[tuple[CompiledUnit, ...], tuple[Problem, ...]]:
    """The datasets that the stack deploys, each with its chain's end and its sink's plan; and those without a chain."""
    chosen = [(dataset, folder) for dataset, folder in datasets if stack.selects(dataset.name)]
    missing = tuple(_without_chain(chosen))
    if missing:
        return (), missing
    return tuple(_unit(stack, root, dataset, folder) for dataset, folder in chosen), ()


def _without_chain(datasets: Folders) -> Iterator[Problem]:
    for dataset, folder in datasets:
        if read_chain(folder, dataset.name, dataset.version) is None:
            yield Problem(
                file=str(folder),
                rule="chain-missing",
                message=f"there is no migration for {dataset.name} v{dataset.version} yet.",
                fix=f"Run `sluice plan {dataset.name}`, review the SQL and commit it.",
                severity=Severity.ERROR,
            )


def _unit(stack: StackConfig, root: Path, dataset: Dataset, folder: Path) -> CompiledUnit:
    chain = read_chain(folder, dataset.name, dataset.version)
    assert chain is not None, "datasets without a chain were refused"
    running, plan = deployed(stack, dataset, folder, chain)
    target = TableTarget(
        dataset=dataset.name,
        version=dataset.version,
        owner=dataset.owner,
        folder=folder.resolve().relative_to(root.resolve()).as_posix(),
        chain=chain.expanded[-1].sha256,
        writer_role=names.writer_role(stack.prefix, dataset.name),
        drops=dataset.tombstone is not None and dataset.tombstone.drops,
    )
    contract = replace(target, chain=chain.files[-1].sha256, phase=Phase.CONTRACT, drops=False)
    return CompiledUnit(running, target, contract, plan)


def providers(stack: StackConfig) -> pulumi.ResourceOptions:
    """Both providers, from the stack's configuration; credentials come from the environment (AWS_*, PGUSER, PGPASSWORD)."""
    in_account = aws.Provider("aws", region=stack.region, allowed_account_ids=[stack.account])
    in_database = postgresql.Provider(
        "postgres",
        host=stack.database.host,
        port=stack.database.port,
        database=stack.database.name,
        sslmode=stack.database.sslmode,
        superuser=stack.database.superuser,
    )
    return pulumi.ResourceOptions(providers=[in_account, in_database])


def export(
    deployment: Deployment,
    foundation: Mapping[str, Any],
    datasets: Mapping[str, BufferedDataset],
    producers: Mapping[str, ProducerAccess],
    operator: OperatorAccess | None,
) -> None:
    """The stack's outputs: where everything is, what other accounts are to allow, and no secret."""
    stack = deployment.stack
    environment = {
        "name": stack.environment,
        "region": stack.region,
        "account": stack.account,
        "prefix": stack.prefix,
    }
    exports: dict[str, Any] = {name: dict(dataset.exports) for name, dataset in sorted(datasets.items())}
    pulumi.export("environment", environment)
    pulumi.export(OUTPUT, dict(foundation))
    pulumi.export("datasets", exports)
    pulumi.export("producers", {name: dict(access.exports) for name, access in sorted(producers.items())})
    if operator is not None:
        pulumi.export("operator", dict(operator.exports))


def begin() -> None:
    """Let every registration begin before the program ends; the last thing that it does.

    The SDK waits for registrations that have begun, one by one. Of others it knows nothing: it waits for all outputs of the
    program instead, and asks each of them again whenever one comes. That is quadratic, and a third of what a preview of ten
    datasets costs (SDK 3.272).
    """
    _sync_await(asyncio.sleep(0))
