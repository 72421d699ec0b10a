"""What the schema cannot say of who the producers, the readers and the operator are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler import names
from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.problems import Finding, Pointer
from compiler.stack.config import EMBEDDED, EVERYONE, StackConfig
from compiler.stack.rule import Rule
from compiler.suggest import quoted

_PARTITION = 1  # part of an ARN
# Role names that Postgres keeps for itself; so it does those that begin with pg_.
_RESERVED = ("none", "public")


def _everyone(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    if EVERYONE in values["principals"] and name != EMBEDDED:
        message = (
            f'only the stack {quoted(EMBEDDED)} may bind "*": elsewhere each producer and reader is named.'
        )
        fix = "Replace it by one entry for each producer and reader."
        yield Finding(("principals", EVERYONE), "stack-binds-everyone", message, fix)


def _placeholders(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    for who, entry in values["principals"].items():
        for kind, value in entry.items():
            rest = value.replace("{name}", "") if who == EVERYONE else value
            if "{" in rest or "}" in rest:
                message = f'{quoted(value)} has a placeholder; only the entry "*" may, and only {{name}}.'
                yield Finding(
                    ("principals", who, kind), "stack-placeholder", message, "Write the whole name."
                )


def _bound(values: Mapping[str, Json], kind: str) -> Iterator[tuple[Pointer, str]]:
    """Each principal's and the operator's role of one kind, with its place."""
    for who, entry in values["principals"].items():
        if kind in entry:
            yield ("principals", who, kind), entry[kind]
    if kind in values.get("operator", {}):
        yield ("operator", kind), values["operator"][kind]


def _partitions(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """The partitions of AWS have accounts of their own, and no policy reaches from one into another."""
    boundary = values.get("permissions_boundary")
    own = [(("permissions_boundary",), boundary)] if boundary else []
    for at, arn in (*_bound(values, "aws"), *own):
        yield from same_partition(at, arn, values["region"])


def same_partition(at: Pointer, arn: str, region: str) -> Iterator[Finding]:
    """A finding where the ARN is of another part of AWS than the region."""
    wanted = names.partition(region)
    if arn.split(":")[_PARTITION] != wanted:
        message = f"{quoted(arn)} is not in the partition {quoted(wanted)} of region {region}."
        yield Finding(at, "stack-elsewhere", message, f"Name one that begins with arn:{wanted}:.")


def _reserved_roles(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    for at, role in _bound(values, "postgres"):
        if role in _RESERVED or role.startswith("pg_"):
            message = f"{quoted(role)} is a name of Postgres' own: everybody's, or a predefined role's."
            yield Finding(
                at, "stack-role-is-reserved", message, "Bind it to a role that was made for the purpose."
            )


def _own_iam_roles(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """The roles that the stack makes stand below a path of its own."""
    ours = f"::{values['allowed_account_ids'][0]}:role{names.iam_path(values['prefix'])}"
    for at, arn in _bound(values, "aws"):
        if ours in arn:
            of_operator = at[0] == "operator"
            who = "operator" if of_operator else f"principal {quoted(str(at[1]))}"
            rule = "stack-operator-is-ours" if of_operator else "stack-producer-is-ours"
            message = f"{who} is bound to {quoted(arn)}, a role that the stack itself makes."
            yield Finding(at, rule, message, "Bind it to a role of its own.")


RULES: tuple[Rule, ...] = (
    (("principals",), _everyone),
    (("principals",), _placeholders),
    (("principals", "operator", "permissions_boundary", "region"), _partitions),
    (("principals", "operator"), _reserved_roles),
    (("principals", "operator", "prefix", "allowed_account_ids"), _own_iam_roles),
)


def dataset_findings(stack: StackConfig, datasets: tuple[Dataset, ...]) -> Iterator[Finding]:
    """Producers that are the operator: whoever takes the operator's role receives from every queue."""
    operator = stack.operator.aws_arn if stack.operator else None
    chosen = [dataset for dataset in datasets if stack.selects(dataset.name)]
    for name in sorted({name for dataset in chosen for name in dataset.producers}):
        bound = stack.bind(name)
        if operator and bound and bound.aws_arn == operator:
            message = f"the operator's role is the producer {quoted(name)}'s too, who could then receive from every queue."
            fix = "Give the operator a role of its own."
            yield Finding(("operator", "aws"), "stack-operator-produces", message, fix)
