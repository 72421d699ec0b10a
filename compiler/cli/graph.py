"""What a stack would be: the project's own program, run without an engine, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.dataset import Dataset
from compiler.emit.graph import Graph
from compiler.emit.invariants import Compiled
from compiler.pipeline import compile_datasets
from compiler.problems import Problem, Severity
from compiler.stack import EMBEDDED, load_stack

if TYPE_CHECKING:
    from compiler.stack import StackConfig

RECORDER = Path(__file__).parents[1] / "emit" / "pulumi" / "recording.py"


class GraphError(Exception):
    """The program ended with an error, which is the text; `problems` are what it refused, one by one, if it did."""

    def __init__(self, text: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(text)
        self.problems = problems


def configured(stack: str) -> dict[str, str]:
    """What the stack's file does not say: the embedded one's database stands on a port that is free at the time."""
    if stack != EMBEDDED:
        return {}
    from dev.postgres import Address
    from dev.stack import configured as embedded

    return embedded(Address("127.0.0.1", 5432, "postgres", "", "-"))


def recorded(root: Path, stack: str) -> Graph:
    """The resource graph of the project's `__main__.py` for a stack. Raises GraphError.

    A compiler that lies in the project's folder is the one that the program runs with: another commit's stands for what
    that commit would deploy.
    """
    own = {"PYTHONPATH": str(root.absolute())} if (root / "compiler" / "__init__.py").exists() else {}
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AWS_", "PG", "PULUMI_", "PYTHONPATH"))
    }
    done = subprocess.run(
        [sys.executable, "-P", str(RECORDER), "--stack", stack],
        cwd=root,
        env={**kept, **own},
        input=json.dumps(configured(stack)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        text = done.stderr.strip() or f"it ended with exit code {done.returncode}."
        raise GraphError(text, _refused(root, done.stdout))
    return Graph.of(json.loads(done.stdout))


def _refused(root: Path, printed: str) -> tuple[Problem, ...]:
    """The problems for which the program declared nothing, by paths from the project's folder."""
    try:
        found = json.loads(printed)
    except ValueError:  # it ended otherwise than by refusing
        return ()
    return tuple(
        Problem(**{**one, "file": _from(root, one["file"]), "severity": Severity(one["severity"])})
        for one in found
    )


def _from(root: Path, file: str) -> str:
    inside = Path(file).is_relative_to(root.absolute())
    return Path(file).relative_to(root.absolute()).as_posix() if inside else file


def compiled(root: Path, stack: str) -> Compiled:
    """The stack as invariants look at it. Raises ProblemsError for what is wrong in the project, and GraphError."""
    config, datasets = stack_of(root, stack)
    return Compiled(recorded(root, stack), config, datasets, root)


def stack_of(root: Path, stack: str) -> tuple[StackConfig, tuple[Dataset, ...]]:
    """The stack's configuration and the datasets that it deploys. Raises ProblemsError."""
    config = load_stack(root / f"Pulumi.{stack}.yaml", configured(stack)).require()
    datasets = (one.dataset for one in compile_datasets(root).require())
    return config, tuple(dataset for dataset in datasets if config.selects(dataset.name))
