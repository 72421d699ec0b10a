"""Resource graph -> rights: who may do what with what, in AWS and in Postgres, as sorted plain values.

The one reading of policies and grants that invariants, `sluice iam diff` and the tests' matrices share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.emit.graph import Graph, Recorded

ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
RESOURCE_POLICIES: Mapping[str, str] = {
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:kms/key:Key": "policy",
}
PG_ROLE = "postgresql:index/role:Role"
PG_GRANT = "postgresql:index/grant:Grant"
PG_MEMBER = "postgresql:index/grantRole:GrantRole"

Statement = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """One principal, one action, one resource, under `condition` (canonical JSON, empty where there is none).

    `principal` is `role NAME`, `role ARN` of another account, `Service NAME`, an account, or `postgres NAME`.
    """

    principal: str
    action: str
    resource: str
    condition: str = ""


@dataclass(frozen=True)
class Document:
    """A policy document: of a resource in the graph, as JSON, and the role that it gives rights to (None: principals)."""

    of: Recorded
    value: Mapping[str, Any]
    role: str | None

    @property
    def allows(self) -> list[Statement]:
        """Its Allow statements."""
        return [one for one in self.statements if one["Effect"] == "Allow"]

    @property
    def statements(self) -> list[Statement]:
        """All of its statements."""
        return list(listed(self.value["Statement"]))


def listed(value: Any) -> list[Any]:
    """A policy's element, of which IAM lets one stand without its list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def identity_documents(graph: Graph) -> Iterator[Document]:
    """Inline policies, and managed ones once for each role that they are attached to."""
    for one in graph.of_type(ROLE_POLICY):
        yield Document(one, json.loads(one.inputs["policy"]), one.inputs["role"])
    managed = {one.arn: one for one in graph.of_type(POLICY)}
    for one in graph.of_type(ATTACHMENT):
        policy = managed.get(one.inputs["policyArn"])
        if policy is not None:
            yield Document(policy, json.loads(policy.inputs["policy"]), one.inputs["role"])


def resource_documents(graph: Graph) -> Iterator[Document]:
    """Policies of queues, topics, buckets and keys."""
    for one in graph.of_type(*RESOURCE_POLICIES):
        text = one.inputs.get(RESOURCE_POLICIES[one.type])
        if text:
            yield Document(one, json.loads(text), None)


def trust_documents(graph: Graph) -> Iterator[Document]:
    """Who may take a role."""
    for one in graph.of_type(ROLE):
        yield Document(one, json.loads(one.inputs["assumeRolePolicy"]), None)


def rights(graph: Graph) -> tuple[Right, ...]:
    """Every right that the graph gives, sorted. Denials take none away here: ours concern connections without TLS only."""
    return tuple(sorted({*_by_identity(graph), *_by_resource(graph), *_trust(graph), *_in_postgres(graph)}))


def _by_identity(graph: Graph) -> Iterator[Right]:
    for document in identity_documents(graph):
        for statement in document.allows:
            for action, resource in _pairs(statement):
                yield Right(f"role {document.role}", action, resource, _condition(statement))
    known = {one.arn for one in graph.of_type(POLICY)}
    for one in graph.of_type(ATTACHMENT):
        if one.inputs["policyArn"] not in known:
            yield Right(f"role {one.inputs['role']}", "(a policy of others)", one.inputs["policyArn"])


def _by_resource(graph: Graph) -> Iterator[Right]:
    for document in resource_documents(graph):
        for statement in document.allows:
            for principal, condition in principals(statement):
                for action, resource in _pairs(statement):
                    yield Right(principal, action, f"{document.of.arn or resource}", condition)


def _trust(graph: Graph) -> Iterator[Right]:
    for document in trust_documents(graph):
        for statement in document.allows:
            for principal, condition in principals(statement):
                for action in _named(statement, "Action"):
                    yield Right(principal, action, document.of.arn, condition)


def principals(statement: Statement) -> Iterator[tuple[str, str]]:
    """Each principal of a statement with its condition; an account that a condition cuts down to roles is those roles."""
    named = statement.get("Principal", {})
    if named == "*":
        yield "everybody", _condition(statement)
        return
    roles, rest = _narrowed(statement)
    for kind, names in sorted(named.items()):
        for name in listed(names):
            if kind == "AWS" and roles:
                yield from ((f"role {role}", rest) for role in roles if _account(role) == _account(name))
            else:
                yield (name if kind == "AWS" else f"{kind} {name}"), _condition(statement)


def _narrowed(statement: Statement) -> tuple[list[str], str]:
    """The roles that a condition names, and what else it asks."""
    conditions = {operator: dict(keys) for operator, keys in statement.get("Condition", {}).items()}
    roles = listed(conditions.get("ArnEquals", {}).pop("aws:PrincipalArn", []))
    return [str(role) for role in roles], _text({key: value for key, value in conditions.items() if value})


def _account(arn: str) -> str:
    return arn.split(":")[4] if arn.count(":") > 4 else arn


def _pairs(statement: Statement) -> Iterator[tuple[str, str]]:
    for action in _named(statement, "Action"):
        for resource in _named(statement, "Resource"):
            yield action, resource


def _named(statement: Statement, element: str) -> list[Any]:
    return listed(statement.get(element, f"all but {statement.get(f'Not{element}')}"))


def _condition(statement: Statement) -> str:
    return _text(statement.get("Condition", {}))


def _text(condition: Mapping[str, Any]) -> str:
    return json.dumps(condition, sort_keys=True, separators=(",", ":")) if condition else ""


def _in_postgres(graph: Graph) -> Iterator[Right]:
    for one in graph.of_type(PG_GRANT):
        kind = one.inputs["objectType"]
        for target in one.inputs.get("objects") or [""]:
            for privilege in one.inputs["privileges"]:
                yield Right(
                    f"postgres {one.inputs['role']}",
                    privilege,
                    f"{kind} {one.inputs.get('schema', '')}.{target}".removesuffix("."),
                )
    for one in graph.of_type(PG_ROLE):
        for group in one.inputs.get("roles") or []:
            yield Right(f"postgres {one.inputs['name']}", "member", f"role {group}")
        for flag in ("login", *POWERS):
            if one.inputs.get(flag):
                yield Right(f"postgres {one.inputs['name']}", flag, "(the cluster)")
    for one in graph.of_type(PG_MEMBER):
        yield Right(f"postgres {one.inputs['role']}", "member", f"role {one.inputs['grantRole']}")


POWERS = ("superuser", "createRole", "createDatabase", "replication", "bypassRowLevelSecurity")
"""What no role of a stack may be."""
