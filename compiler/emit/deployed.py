"""What one environment deploys of a dataset: the manifest's with the stack's overrides, and the plan of its sinks.

The program deploys the plan and `sluice status --expect-plan` looks for it: both ask here.
"""

from __future__ import annotations

from pathlib import Path

from compiler.dataset import Dataset
from compiler.emit.sink import sink_plan
from compiler.migrate.chain import read_history
from compiler.migrate.model import Chain
from compiler.stack import StackConfig, overridden
from sink_runtime.plan import SinkPlan


def deployed(stack: StackConfig, dataset: Dataset, folder: Path, chain: Chain) -> tuple[Dataset, SinkPlan]:
    """The dataset as the environment runs it, and its sinks' plan; `folder` and `chain` are those of its manifest."""
    running = overridden(stack, dataset)
    schemas = (entry.record_sha256 for entry in read_history(folder) if entry.version == dataset.version)
    return running, sink_plan(running, tuple(schemas), chain.contract)
