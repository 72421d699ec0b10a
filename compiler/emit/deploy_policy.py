"""Resource graph -> the least policy that deploys it, or that previews it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from compiler import names
from compiler.emit import iam
from compiler.emit.deploy_calls import calls_of
from compiler.emit.deploy_places import Condition, Places
from compiler.emit.graph import Graph
from compiler.stack import StackConfig

_TO_TASKS: Condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
# (action, resource, condition as JSON text)
Need = tuple[str, str, str]


def deploy_policy(
    graph: Graph, stack: StackConfig, *, read_only: bool, by_prefix: bool = False
) -> iam.Document:
    """What the deploying identity needs; `read_only`: what a preview or a refresh needs.

    `by_prefix` writes `<prefix>_*` for the names of the stack's own resources, so that datasets to come are in it too.
    Types whose calls are not listed are left out; `deploy_calls.unknown` names them.
    """
    needs = set(_needs(graph, stack, read_only=read_only))
    if by_prefix:
        needs = {(action, _widened(arn, stack), condition) for action, arn, condition in needs}
    together: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for action, condition in sorted({(action, condition) for action, _, condition in needs}):
        where = tuple(sorted(arn for each, arn, under in needs if (each, under) == (action, condition)))
        together.setdefault((where, condition), []).append(action)
    statements = [
        _statement(number, actions, where, condition)
        for number, ((where, condition), actions) in enumerate(
            sorted(together.items(), key=lambda each: each[1]), start=1
        )
    ]
    return {"Version": iam.VERSION, "Statement": statements}


class StatementTooLongError(Exception):
    """One statement alone passes the size of a managed policy."""


def split(document: iam.Document) -> tuple[iam.Document, ...]:
    """The policy as managed policies of IAM's size, each statement whole and in the first that has room for it.

    Raises StatementTooLongError.
    """
    parts: list[iam.Document] = []
    for statement in document["Statement"]:
        alone = {**document, "Statement": [statement]}
        size = len(iam.text(alone))
        if size > iam.MANAGED_POLICY_CHARACTERS:
            raise StatementTooLongError(
                f"The statement {statement['Sid']}, over {len(statement['Resource'])} resources, alone takes {size:,} characters,"
                f" and one managed policy holds {iam.MANAGED_POLICY_CHARACTERS:,}."
            )
        for number, part in enumerate(parts):
            longer = {**part, "Statement": [*part["Statement"], statement]}
            if len(iam.text(longer)) <= iam.MANAGED_POLICY_CHARACTERS:
                parts[number] = longer
                break
        else:
            parts.append(alone)
    return tuple(parts)


def _statement(number: int, actions: list[str], where: tuple[str, ...], condition: str) -> iam.Document:
    service = actions[0].partition(":")[0].replace("-", "")
    under = {"Condition": json.loads(condition)} if condition else {}
    return {
        "Sid": f"{service.capitalize()}{number}",
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(where),
        **under,
    }


def _needs(graph: Graph, stack: StackConfig, *, read_only: bool) -> Iterator[Need]:
    places = Places(graph, stack)
    for one in graph.resources:
        calls = calls_of(one.type)
        if calls is None:
            continue
        conditions = calls.conditions(places)
        for action in (*calls.reads, *(() if read_only else calls.writes)):
            for arn in calls.where(places, one):
                yield action, arn, _text(conditions.get(action))
        for action in (*calls.reads_anywhere, *(() if read_only else calls.writes_anywhere)):
            yield action, "*", ""
        for role in () if read_only else calls.passes:
            yield "iam:PassRole", one.inputs[role], _text(_TO_TASKS)
    if not read_only and stack.database.admin.startswith("arn:"):
        yield "secretsmanager:GetSecretValue", stack.database.admin, ""


def _text(condition: Condition | None) -> str:
    return json.dumps(condition, sort_keys=True) if condition else ""


def _widened(arn: str, stack: StackConfig) -> str:
    """`…:dev_alert_events_buffer` -> `…:dev_*`; a path, such as /sluice/dev/, stays before it."""
    named = re.fullmatch(rf"(.*[:/]){re.escape(stack.prefix)}_[^:/]+(?:[:/]\*)?", arn)
    if named:
        return f"{named[1]}{stack.prefix}_*"
    for folder in (f":log-group:{names.log_groups(stack.prefix).removesuffix('*')}", "/plans/"):
        if folder in arn:
            return f"{arn.partition(folder)[0]}{folder}*"
    return arn
