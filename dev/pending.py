"""What the project declares and the environment does not have yet: the next `up` brings it, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compiler.migrate.apply import status as chain_status
from compiler.migrate.chain import chain_findings, read_chain
from compiler.migrate.errors import MigrateError
from compiler.pipeline import CompiledDataset, compile_datasets
from compiler.problems import errors
from compiler.stack import load_stack
from dev.postgres import Address
from dev.stack import STACK, configured

UP = "Bring it up: sluice dev up"


def pending(project: Path, exported: Mapping[str, Any], address: Address) -> Iterator[str]:
    """A sentence for each thing that waits; `exported` are the datasets of the last `up`. Reads only."""
    compilation = compile_datasets(project)
    stack = load_stack(project / f"Pulumi.{STACK}.yaml", configured(address)).config
    if errors(compilation.problems) or stack is None:
        yield "the project has problems, so it cannot be brought up. See them: sluice check"
        return
    chosen = [one for one in compilation.datasets if stack.selects(one.dataset.name)]
    for one in chosen:
        if one.dataset.name not in exported:
            yield f"{one.dataset.name} is declared and not up. {UP}"
        else:
            yield from _of_chain(one, address)
    for name in sorted(exported.keys() - {one.dataset.name for one in chosen}):
        yield f"{name} is up and no longer declared. Its sink goes, its queues and table are kept: sluice dev up"


def _of_chain(one: CompiledDataset, address: Address) -> Iterator[str]:
    """What the chain lacks for its manifest, and the database for the chain."""
    dataset = one.dataset
    title = f"{dataset.name} v{dataset.version}"
    found = next(iter(chain_findings(dataset, one.folder)), None)
    chain = None if found else read_chain(one.folder, dataset.name, dataset.version)
    if chain is None:
        yield f"{title}: {found.message} {found.fix}" if found else f"{title}: there is no migration yet."
        return
    try:
        stands = chain_status(address.conninfo(), chain)
    except MigrateError as error:
        yield f"{title}: {error}"
        return
    if stands.pending:
        yield f"{title}: not applied yet: {', '.join(stands.pending)}. {UP}"
    yield from (f"{title}: {text}" for text in stands.trouble)
    if stands.drift:
        yield f"{title}: changed outside of its migrations: {'; '.join(stands.drift)}. See sluice migrate status"
