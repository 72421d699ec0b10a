"""What the invariants look at, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.dataset import Dataset
from compiler.emit.graph import Graph
from compiler.problems import Severity
from compiler.stack import StackConfig


@dataclass(frozen=True)
class Compiled:
    """One stack: what the program declares, the configuration, and the datasets that the stack deploys.

    `root` is the project's folder, which the tables' migrations stand below.
    """

    graph: Graph
    stack: StackConfig
    datasets: tuple[Dataset, ...]
    root: Path


@dataclass(frozen=True)
class Violation:
    """One resource (`type name`) that breaks a rule; `message` goes on where the resource's name ends."""

    rule: str
    resource: str
    message: str
    fix: str
    severity: Severity = Severity.ERROR


Invariant = Callable[[Compiled], Iterator[Violation]]
