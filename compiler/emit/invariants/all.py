"""Every invariant, and their findings as problems of the stack's file."""

from __future__ import annotations

from compiler.emit.invariants.documents import DOCUMENTS
from compiler.emit.invariants.limits import LIMITS
from compiler.emit.invariants.loss import LOSSES
from compiler.emit.invariants.queues import QUEUES
from compiler.emit.invariants.stack import Compiled, Invariant
from compiler.emit.invariants.wider import WIDER
from compiler.problems import Problem, ordered

INVARIANTS: tuple[Invariant, ...] = (*QUEUES, *DOCUMENTS, *WIDER, *LIMITS, *LOSSES)


def problems(compiled: Compiled) -> tuple[Problem, ...]:
    """What breaks an invariant, ordered."""
    file = f"Pulumi.{compiled.stack.name}.yaml"
    return ordered(
        Problem(file, found.rule, f"{found.resource} {found.message}", fix=found.fix, severity=found.severity)
        for invariant in INVARIANTS
        for found in invariant(compiled)
    )
