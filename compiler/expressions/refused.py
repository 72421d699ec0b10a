"""Why an expression is refused, as a value and as what is raised on the way to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Why an expression is refused; `message` is a sentence that names the offending part."""

    message: str
    fix: str | None = None


class ExpressionRefused(ValueError):  # noqa: N818 - it carries the fault to whoever collects it
    """Raised while an expression is read; carries the fault."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        self.fault = Fault(message, fix)
        super().__init__(message)
