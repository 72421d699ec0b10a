"""`sluice iam diff BASE`: the rights of two commits, side by side."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from compiler.cli import git
from compiler.cli.graph import GraphError, recorded
from compiler.cli.markdown import plain
from compiler.emit.graph import Graph
from compiler.emit.rights import Right, rights

_LOGINS = "pulumi-python:dynamic/sluice:SinkLogin"  # each is a secret


@dataclass(frozen=True)
class Change:
    """What one principal gains and loses, each sorted."""

    principal: str
    gains: tuple[Right, ...]
    losses: tuple[Right, ...]


def compared(root: Path, base: str, stack: str) -> tuple[Change, ...]:
    """The principals whose rights differ, sorted. Raises GraphError."""
    before, after = _rights_at(root, base, stack), rights_of(recorded(root, stack))
    return changes(before, after)


def changes(before: Iterable[Right], after: Iterable[Right]) -> tuple[Change, ...]:
    """The difference of two sets of rights, by principal."""
    gained, lost = set(after) - set(before), set(before) - set(after)
    return tuple(
        Change(
            who,
            tuple(sorted(one for one in gained if one.principal == who)),
            tuple(sorted(one for one in lost if one.principal == who)),
        )
        for who in sorted({one.principal for one in gained | lost})
    )


def _rights_at(root: Path, base: str, stack: str) -> frozenset[Right]:
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        folder = Path(name)
        try:
            git.extract(root, base, folder)
        except git.GitError as error:
            raise GraphError(str(error)) from None
        if not (folder / f"Pulumi.{stack}.yaml").exists():
            return frozenset()
        try:
            return rights_of(recorded(folder, stack))
        except GraphError as error:
            raise GraphError(f"the program of {base} fails: {error}") from None


def rights_of(graph: Graph) -> frozenset[Right]:
    """The rights, as IAM writes a secret whose ARN is not known: Secrets Manager ends it by six characters of its own."""
    secrets = {one.arn: f"{one.arn[:-6]}{'?' * 6}" for one in graph.of_type(_LOGINS)}
    return frozenset(replace(one, resource=secrets.get(one.resource, one.resource)) for one in rights(graph))


def shown(found: tuple[Change, ...], base: str, stack: str, form: str) -> str:
    """The changes as text, JSON or Markdown, ended by LF."""
    match form:
        case "json":
            return (
                json.dumps(
                    {"base": base, "stack": stack, "principals": [_json(one) for one in found]}, indent=2
                )
                + "\n"
            )
        case "markdown":
            return "\n".join(_markdown(found, base, stack)) + "\n"
        case _:
            return "\n".join(_text(found, base, stack)) + "\n"


def _json(change: Change) -> dict[str, object]:
    def each(of: Iterable[Right]) -> list[dict[str, str]]:
        return [{key: value for key, value in asdict(one).items() if key != "principal"} for one in of]

    return {"principal": change.principal, "gains": each(change.gains), "losses": each(change.losses)}


def _lines(change: Change) -> list[str]:
    return [
        *(f"+ {_said(one)}" for one in change.gains),
        *(f"- {_said(one)}" for one in change.losses),
    ]


def _said(right: Right) -> str:
    return f"{right.action} on {right.resource}{f' if {right.condition}' if right.condition else ''}"


def _text(found: tuple[Change, ...], base: str, stack: str) -> list[str]:
    if not found:
        return [f"Nobody gains or loses a right in the stack {stack} since {base}."]
    return [line for one in found for line in (one.principal, *(f"  {each}" for each in _lines(one)))]


def _markdown(found: tuple[Change, ...], base: str, stack: str) -> list[str]:
    head = f"**Rights in the stack `{stack}` since `{base}`**"
    if not found:
        return [head, "", "Nobody gains or loses one."]
    blocks = (["", plain(one.principal), "", "```diff", *_lines(one), "```"] for one in found)
    return [head, *(line for block in blocks for line in block)]
