"""IAM roles and policies, which the emulator enforces."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, ResourceError, Served, State, Upsert, physical_name

MAX_SESSION_SECONDS = 3_600


class Role(Served):
    """A role; the id is its name. A role of that name that is already there is taken over."""

    type: ClassVar = "aws:iam/role:Role"
    carried: ClassVar = frozenset(
        {
            "name",
            "path",
            "assumeRolePolicy",
            "description",
            "maxSessionDuration",
            "permissionsBoundary",
            "tags",
        }
    )
    inert: ClassVar = {"forceDetachPolicies": "deletion here always detaches what is left"}
    replacing: ClassVar = frozenset({"name", "path"})
    identity: ClassVar = frozenset({"name"})
    computed: ClassVar = frozenset({"arn", "uniqueId", "tagsAll"})
    documents: ClassVar = frozenset({"assumeRolePolicy"})
    defaults: ClassVar = {
        "path": "/",
        "description": "",
        "maxSessionDuration": MAX_SESSION_SECONDS,
        "permissionsBoundary": "",
        "tags": {},
    }
    exclusive: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the role or take it over."""
        del name
        role = physical_name(inputs)
        try:
            context.iam.create_role(
                RoleName=role,
                Path=inputs.get("path", "/"),
                AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            )
        except context.iam.exceptions.EntityAlreadyExistsException:
            _same_path(context, role, inputs)
        return Created(role, self._set(context, role, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set trust, description, session length and tags."""
        return self._set(context, state.id, inputs)

    def identify(self, context: Context, inputs: Properties) -> str:
        """The name."""
        del context
        return physical_name(inputs)

    def read(self, context: Context, state: State) -> Properties | None:
        """Trust, path, description, session length, boundary and tags; policies are resources of their own."""
        try:
            found = context.iam.get_role(RoleName=state.id)["Role"]
        except context.iam.exceptions.NoSuchEntityException:
            return None
        return {
            "name": state.id,
            "path": found["Path"],
            "assumeRolePolicy": json.dumps(found["AssumeRolePolicyDocument"]),
            "description": found.get("Description", ""),
            "maxSessionDuration": found["MaxSessionDuration"],
            "permissionsBoundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": _tags(context.iam.list_role_tags(RoleName=state.id)["Tags"]),
        }

    def delete(self, context: Context, state: State) -> None:
        """Detach and delete whatever the role holds, then the role."""
        try:
            for attached in context.iam.list_attached_role_policies(RoleName=state.id)["AttachedPolicies"]:
                context.iam.detach_role_policy(RoleName=state.id, PolicyArn=attached["PolicyArn"])
            for inline in context.iam.list_role_policies(RoleName=state.id)["PolicyNames"]:
                context.iam.delete_role_policy(RoleName=state.id, PolicyName=inline)
            context.iam.delete_role(RoleName=state.id)
        except context.iam.exceptions.NoSuchEntityException:
            return

    def _set(self, context: Context, role: str, inputs: Properties) -> dict[str, Any]:
        context.iam.update_assume_role_policy(RoleName=role, PolicyDocument=inputs["assumeRolePolicy"])
        context.iam.update_role(
            RoleName=role,
            Description=inputs.get("description", ""),
            MaxSessionDuration=int(inputs.get("maxSessionDuration", MAX_SESSION_SECONDS)),
        )
        if inputs.get("permissionsBoundary"):  # kept and shown; the emulator evaluates none
            boundary = inputs["permissionsBoundary"]
            context.iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
        elif "PermissionsBoundary" in context.iam.get_role(RoleName=role)["Role"]:
            context.iam.delete_role_permissions_boundary(RoleName=role)
        tags = dict(inputs.get("tags", {}))
        old = {tag["Key"] for tag in context.iam.list_role_tags(RoleName=role)["Tags"]}
        context.iam.untag_role(RoleName=role, TagKeys=sorted(old - tags.keys()))
        context.iam.tag_role(RoleName=role, Tags=_tag_list(tags))  # type: ignore[arg-type]
        return {**inputs, "name": role, **self.attributes(context, role), "tagsAll": tags}

    def attributes(self, context: Context, identity: str) -> dict[str, Any]:
        """ARN and unique id."""
        found = context.iam.get_role(RoleName=identity)["Role"]
        return {"arn": found["Arn"], "uniqueId": found["RoleId"]}


def _same_path(context: Context, role: str, inputs: Properties) -> None:
    path = context.iam.get_role(RoleName=role)["Role"]["Path"]
    if path != inputs.get("path", "/"):
        raise ResourceError(f"the role {role} is there already, under the path {path}.")


class RolePolicy(Upsert, Served):
    """An inline policy of a role; the id is `role:policy`, as the provider's."""

    type: ClassVar = "aws:iam/rolePolicy:RolePolicy"
    carried: ClassVar = frozenset({"name", "role", "policy"})
    replacing: ClassVar = frozenset({"name", "role"})
    identity: ClassVar = frozenset({"name", "role"})
    computed: ClassVar = frozenset()
    documents: ClassVar = frozenset({"policy"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Put the policy."""
        del name
        policy = physical_name(inputs)
        context.iam.put_role_policy(
            RoleName=inputs["role"], PolicyName=policy, PolicyDocument=inputs["policy"]
        )
        return Created(f"{inputs['role']}:{policy}", dict(inputs))

    def read(self, context: Context, state: State) -> Properties | None:
        """The policy."""
        role, _, name = state.id.partition(":")
        try:
            found = context.iam.get_role_policy(RoleName=role, PolicyName=name)
        except context.iam.exceptions.NoSuchEntityException:
            return None
        return {"name": name, "role": role, "policy": json.dumps(found["PolicyDocument"])}

    def delete(self, context: Context, state: State) -> None:
        """Delete the policy."""
        try:
            context.iam.delete_role_policy(RoleName=state.inputs["role"], PolicyName=state.inputs["name"])
        except context.iam.exceptions.NoSuchEntityException:
            return


class Policy(Served):
    """A managed policy; the id is its ARN. A change is a new default version, the old one goes."""

    type: ClassVar = "aws:iam/policy:Policy"
    carried: ClassVar = frozenset({"name", "path", "policy", "description", "tags"})
    replacing: ClassVar = frozenset({"name", "path", "description"})
    identity: ClassVar = frozenset({"name", "path"})
    computed: ClassVar = frozenset({"arn", "policyId", "tagsAll"})
    documents: ClassVar = frozenset({"policy"})
    defaults: ClassVar = {"path": "/", "description": "", "tags": {}}
    exclusive: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the policy, or give the one that is already there a new default version."""
        del name
        arn = self.identify(context, inputs)
        try:
            context.iam.create_policy(
                PolicyName=inputs["name"],
                Path=inputs.get("path", "/"),
                PolicyDocument=inputs["policy"],
                Description=inputs.get("description", ""),
            )
        except context.iam.exceptions.EntityAlreadyExistsException:
            _new_version(context, arn, inputs["policy"])
        return Created(arn, self._outputs(context, arn, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Give the policy a new default version."""
        _new_version(context, state.id, inputs["policy"])
        return self._outputs(context, state.id, inputs)

    def identify(self, context: Context, inputs: Properties) -> str:
        """The ARN."""
        return f"arn:aws:iam::{context.account}:policy{inputs.get('path', '/')}{physical_name(inputs)}"

    def read(self, context: Context, state: State) -> Properties | None:
        """The default version's document, the path, description and tags."""
        try:
            found = context.iam.get_policy(PolicyArn=state.id)["Policy"]
        except context.iam.exceptions.NoSuchEntityException:
            return None
        version = context.iam.get_policy_version(PolicyArn=state.id, VersionId=found["DefaultVersionId"])
        return {
            "name": found["PolicyName"],
            "path": found["Path"],
            "policy": json.dumps(version["PolicyVersion"]["Document"]),
            "description": found.get("Description", ""),
            "tags": _tags(context.iam.list_policy_tags(PolicyArn=state.id)["Tags"]),
        }

    def delete(self, context: Context, state: State) -> None:
        """Delete the policy; it must be detached by then, as on AWS."""
        try:
            context.iam.delete_policy(PolicyArn=state.id)
        except context.iam.exceptions.NoSuchEntityException:
            return

    def _outputs(self, context: Context, arn: str, inputs: Properties) -> dict[str, Any]:
        tags = dict(inputs.get("tags", {}))
        old = {tag["Key"] for tag in context.iam.list_policy_tags(PolicyArn=arn)["Tags"]}
        context.iam.untag_policy(PolicyArn=arn, TagKeys=sorted(old - tags.keys()))
        context.iam.tag_policy(PolicyArn=arn, Tags=_tag_list(tags))  # type: ignore[arg-type]
        return {**inputs, **self.attributes(context, arn), "tagsAll": tags}

    def attributes(self, context: Context, identity: str) -> dict[str, Any]:
        """ARN and unique id."""
        return {"arn": identity, "policyId": context.iam.get_policy(PolicyArn=identity)["Policy"]["PolicyId"]}


def _new_version(context: Context, arn: str, document: str) -> None:
    context.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    for version in context.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            context.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])


class RolePolicyAttachment(Upsert, Served):
    """A managed policy on a role; the id is `role/ARN`, as the provider's."""

    type: ClassVar = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    carried: ClassVar = frozenset({"role", "policyArn"})
    replacing: ClassVar = frozenset({"role", "policyArn"})
    identity: ClassVar = frozenset({"role", "policyArn"})
    computed: ClassVar = frozenset()

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Attach the policy; attaching it twice is harmless."""
        del name
        context.iam.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return Created(f"{inputs['role']}/{inputs['policyArn']}", dict(inputs))

    def read(self, context: Context, state: State) -> Properties | None:
        """Whether the policy is on the role."""
        role, _, arn = state.id.partition("/")
        try:
            attached = context.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        except context.iam.exceptions.NoSuchEntityException:
            return None
        is_there = arn in [policy["PolicyArn"] for policy in attached]
        return {"role": role, "policyArn": arn} if is_there else None

    def delete(self, context: Context, state: State) -> None:
        """Detach the policy."""
        try:
            context.iam.detach_role_policy(RoleName=state.inputs["role"], PolicyArn=state.inputs["policyArn"])
        except context.iam.exceptions.NoSuchEntityException:
            return


def _tags(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
