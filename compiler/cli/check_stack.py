"""`sluice check --stack STACK`: what the project would deploy there must keep every invariant."""

from __future__ import annotations

from pathlib import Path

from compiler.cli.graph import GraphError, compiled
from compiler.emit.invariants import problems
from compiler.problems import Problem, ProblemsError


def stack_problems(root: Path, stack: str) -> tuple[Problem, ...]:
    """What the stack's resources break, or what keeps the program from declaring any."""
    try:
        return problems(compiled(root, stack))
    except ProblemsError as error:
        return error.problems
    except GraphError as error:
        return error.problems or (
            Problem("__main__.py", "program-failed", f"for the stack {stack} the program fails: {error}"),
        )
