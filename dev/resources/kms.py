"""KMS keys and their aliases. The emulator keeps them; it encrypts nothing with them and asks for no right to use them."""

from __future__ import annotations

from typing import Any, ClassVar

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, Served, State, Upsert, physical_name

DELETION_DAYS = 30


class Key(Served):
    """A symmetric key; the id is its own. One of the same description that is not being deleted is taken over."""

    type: ClassVar = "aws:kms/key:Key"
    carried: ClassVar = frozenset(
        {"description", "enableKeyRotation", "deletionWindowInDays", "policy", "tags"}
    )
    identity: ClassVar = frozenset()
    computed: ClassVar = frozenset({"arn", "keyId", "tagsAll"})
    defaults: ClassVar = {"enableKeyRotation": False, "deletionWindowInDays": DELETION_DAYS, "tags": {}}
    documents: ClassVar = frozenset({"policy"})
    holds_data: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the key or take it over."""
        del name
        description = physical_name(inputs, "description")
        found = _of(context, description)
        identity = found or context.kms.create_key(Description=description)["KeyMetadata"]["KeyId"]
        return Created(identity, self._set(context, identity, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set description, policy, rotation and tags."""
        return self._set(context, state.id, inputs)

    def read(self, context: Context, state: State) -> Properties | None:
        """Description, policy, rotation and tags; a key that is being deleted is gone."""
        kms = context.kms
        try:
            about = kms.describe_key(KeyId=state.id)["KeyMetadata"]
        except kms.exceptions.NotFoundException:
            return None
        if about["KeyState"] == "PendingDeletion":
            return None
        return {
            "description": about["Description"],
            "enableKeyRotation": kms.get_key_rotation_status(KeyId=state.id)["KeyRotationEnabled"],
            "policy": kms.get_key_policy(KeyId=state.id, PolicyName="default")["Policy"],
            "tags": _tags(context, state.id),
        }

    def delete(self, context: Context, state: State) -> None:
        """Schedule the deletion, as KMS has it; one that is gone already is no error."""
        days = int(state.inputs.get("deletionWindowInDays", DELETION_DAYS))
        if context.kms.describe_key(KeyId=state.id)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            context.kms.schedule_key_deletion(KeyId=state.id, PendingWindowInDays=days)

    def _set(self, context: Context, identity: str, inputs: Properties) -> dict[str, Any]:
        kms = context.kms
        kms.update_key_description(KeyId=identity, Description=inputs["description"])
        if "policy" in inputs:
            kms.put_key_policy(KeyId=identity, PolicyName="default", Policy=inputs["policy"])
        (kms.enable_key_rotation if inputs.get("enableKeyRotation") else kms.disable_key_rotation)(
            KeyId=identity
        )
        tags = dict(inputs.get("tags", {}))
        kms.untag_resource(KeyId=identity, TagKeys=sorted(_tags(context, identity).keys() - tags.keys()))
        kms.tag_resource(
            KeyId=identity, Tags=[{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]
        )
        arn = kms.describe_key(KeyId=identity)["KeyMetadata"]["Arn"]
        return {**inputs, "arn": arn, "keyId": identity, "tagsAll": tags}


def _tags(context: Context, identity: str) -> dict[str, str]:
    found = context.kms.list_resource_tags(KeyId=identity).get("Tags", [])
    return {tag["TagKey"]: tag["TagValue"] for tag in found}


def _of(context: Context, description: str) -> str | None:
    for page in context.kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            about = context.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if about["Description"] == description and about["KeyState"] == "Enabled":
                return str(key["KeyId"])
    return None


class Alias(Upsert, Served):
    """A key's alias; the id is its name."""

    type: ClassVar = "aws:kms/alias:Alias"
    carried: ClassVar = frozenset({"name", "targetKeyId"})
    replacing: ClassVar = frozenset({"name"})
    identity: ClassVar = frozenset({"name"})
    computed: ClassVar = frozenset({"arn", "targetKeyArn"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Let the alias name the key, whether it is there already or not."""
        del name
        alias = physical_name(inputs)
        target = inputs["targetKeyId"]
        try:
            context.kms.create_alias(AliasName=alias, TargetKeyId=target)
        except context.kms.exceptions.AlreadyExistsException:
            context.kms.update_alias(AliasName=alias, TargetKeyId=target)
        arn = f"arn:aws:kms:{context.region}:{context.account}:{alias}"
        return Created(alias, {**inputs, "arn": arn, "targetKeyArn": target})

    def read(self, context: Context, state: State) -> Properties | None:
        """The key that it names."""
        for page in context.kms.get_paginator("list_aliases").paginate():
            for alias in page["Aliases"]:
                if alias["AliasName"] == state.id:
                    return {"name": state.id, "targetKeyId": alias["TargetKeyId"]}
        return None

    def delete(self, context: Context, state: State) -> None:
        """Delete the alias; the key stays."""
        try:
            context.kms.delete_alias(AliasName=state.id)
        except context.kms.exceptions.NotFoundException:
            return
