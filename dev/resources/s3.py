"""S3 buckets, their settings, and objects."""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from dev.resources.context import Context
from dev.resources.handler import Created, Properties, Served, State, Upsert, only, physical_name
from dev.resources.sqs import REGION_IS_ONE

GONE = frozenset(
    {
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchBucketPolicy",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "ServerSideEncryptionConfigurationNotFoundError",
        "404",
    }
)
OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
DEFAULT_TYPE = "application/octet-stream"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


class Bucket(Served):
    """A bucket; the id is its name."""

    type: ClassVar = "aws:s3/bucket:Bucket"
    carried: ClassVar = frozenset({"bucket", "forceDestroy", "tags"})
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"bucket"})
    identity: ClassVar = frozenset({"bucket"})
    computed: ClassVar = frozenset(
        {"arn", "bucketDomainName", "bucketRegionalDomainName", "bucketRegion", "region", "tagsAll"}
    )
    defaults: ClassVar = {"forceDestroy": False, "tags": {}}
    exclusive: ClassVar = True

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Create the bucket or take it over."""
        del name
        bucket = physical_name(inputs, "bucket")
        where: Any = {"LocationConstraint": context.region}
        with_place = {} if context.region == "us-east-1" else {"CreateBucketConfiguration": where}
        try:
            context.s3.create_bucket(Bucket=bucket, **with_place)
        except ClientError as error:
            if error.response["Error"]["Code"] not in OURS:
                raise
        return Created(bucket, self._set(context, bucket, inputs))

    def update(self, context: Context, state: State, inputs: Properties) -> dict[str, Any]:
        """Set the tags; `forceDestroy` matters at deletion only."""
        return self._set(context, state.id, inputs)

    def identify(self, context: Context, inputs: Properties) -> str:
        """The name."""
        del context
        return physical_name(inputs, "bucket")

    def read(self, context: Context, state: State) -> Properties | None:
        """The tags. What `forceDestroy` asks for is nowhere but in the declaration."""
        if _answer(lambda: context.s3.head_bucket(Bucket=state.id)) is None:
            return None
        tags = _answer(lambda: context.s3.get_bucket_tagging(Bucket=state.id)) or {}
        return {"bucket": state.id, "tags": _tags(tags)}

    def delete(self, context: Context, state: State) -> None:
        """Delete the bucket; one that holds objects only with `forceDestroy`."""
        with _unless_gone():
            if state.inputs.get("forceDestroy"):
                _empty(context, state.id)
            context.s3.delete_bucket(Bucket=state.id)

    def _set(self, context: Context, bucket: str, inputs: Properties) -> dict[str, Any]:
        tags = dict(inputs.get("tags", {}))
        if tags:
            context.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _tag_set(tags)})  # type: ignore[typeddict-item]
        else:
            context.s3.delete_bucket_tagging(Bucket=bucket)
        return {**inputs, **self.attributes(context, bucket), "tagsAll": tags}

    def attributes(self, context: Context, identity: str) -> dict[str, Any]:
        """Names and the region."""
        return {
            "arn": f"arn:aws:s3:::{identity}",
            "bucketDomainName": f"{identity}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{identity}.s3.{context.region}.amazonaws.com",
            "bucketRegion": context.region,
            "region": context.region,
        }


class _BucketSetting(Upsert, Served):
    """One setting of a bucket as a resource of its own; the id is the bucket's name."""

    replacing: ClassVar = frozenset({"bucket"})
    identity: ClassVar = frozenset({"bucket"})
    computed: ClassVar = frozenset({"region"})
    inert: ClassVar = {"region": REGION_IS_ONE}

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Set it."""
        del name
        self.put(context, inputs["bucket"], inputs)
        return Created(inputs["bucket"], {**inputs, "region": context.region})

    def delete(self, context: Context, state: State) -> None:
        """Take the setting off the bucket."""
        with _unless_gone():
            self.remover(context)(Bucket=state.id)

    def read(self, context: Context, state: State) -> Properties | None:
        """What is set; a bucket without it, or one that is gone, has none."""
        found = _answer(lambda: self.get(context, state.id))
        return None if found is None else {"bucket": state.id, **found}

    @abstractmethod
    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the setting on the bucket."""

    @abstractmethod
    def get(self, context: Context, bucket: str) -> dict[str, Any]:
        """The setting in the inputs' shape. Raises botocore's ClientError where there is none."""

    @abstractmethod
    def remover(self, context: Context) -> Callable[..., Any]:
        """The S3 call that takes the setting off the bucket named by `Bucket`."""


class BucketPublicAccessBlock(_BucketSetting):
    """What S3 refuses to make public."""

    type: ClassVar = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    carried: ClassVar = frozenset({"bucket", *BLOCKS})
    defaults: ClassVar = dict.fromkeys(BLOCKS, False)

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set all four blocks; one that is not declared is off."""
        blocks: Any = {key[0].upper() + key[1:]: bool(inputs.get(key, False)) for key in BLOCKS}
        context.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)

    def get(self, context: Context, bucket: str) -> dict[str, Any]:
        """All four blocks."""
        found: Any = context.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        return {key: found[key[0].upper() + key[1:]] for key in BLOCKS}

    def remover(self, context: Context) -> Callable[..., Any]:
        """DeletePublicAccessBlock."""
        return context.s3.delete_public_access_block


class BucketPolicy(_BucketSetting):
    """A bucket's resource policy."""

    type: ClassVar = "aws:s3/bucketPolicy:BucketPolicy"
    carried: ClassVar = frozenset({"bucket", "policy"})
    documents: ClassVar = frozenset({"policy"})

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the policy."""
        context.s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

    def get(self, context: Context, bucket: str) -> dict[str, Any]:
        """The policy."""
        return {"policy": context.s3.get_bucket_policy(Bucket=bucket)["Policy"]}

    def remover(self, context: Context) -> Callable[..., Any]:
        """DeleteBucketPolicy."""
        return context.s3.delete_bucket_policy


class BucketEncryption(_BucketSetting):
    """How S3 encrypts new objects at rest. The emulator keeps the setting and everything in memory."""

    type: ClassVar = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    carried: ClassVar = frozenset({"bucket", "rules"})

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the rules."""
        rules: Any = [_encryption_rule(rule) for rule in inputs["rules"]]
        context.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    def get(self, context: Context, bucket: str) -> dict[str, Any]:
        """The rules."""
        found = context.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        return {"rules": [_encryption_shape(rule) for rule in found["Rules"]]}

    def same(self, key: str, old: Any, new: Any) -> bool:
        """Rules are the same when S3 would be sent the same."""
        if key == "rules" and isinstance(old, list) and isinstance(new, list):
            return [_encryption_rule(rule) for rule in old] == [_encryption_rule(rule) for rule in new]
        return super().same(key, old, new)

    def remover(self, context: Context) -> Callable[..., Any]:
        """DeleteBucketEncryption."""
        return context.s3.delete_bucket_encryption


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    only(rule, ("applyServerSideEncryptionByDefault", "bucketKeyEnabled"), "an encryption rule")
    default = rule["applyServerSideEncryptionByDefault"]
    only(default, ("sseAlgorithm", "kmsMasterKeyId"), "applyServerSideEncryptionByDefault")
    key = {"KMSMasterKeyID": default["kmsMasterKeyId"]} if default.get("kmsMasterKeyId") else {}
    by_default = {"SSEAlgorithm": default["sseAlgorithm"], **key}
    return {
        "ApplyServerSideEncryptionByDefault": by_default,
        "BucketKeyEnabled": bool(rule.get("bucketKeyEnabled", False)),
    }


def _encryption_shape(rule: Any) -> dict[str, Any]:
    default = rule["ApplyServerSideEncryptionByDefault"]
    key = {"kmsMasterKeyId": default["KMSMasterKeyID"]} if default.get("KMSMasterKeyID") else {}
    return {
        "applyServerSideEncryptionByDefault": {"sseAlgorithm": default["SSEAlgorithm"], **key},
        "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


class BucketObject(Upsert, Served):
    """An object whose content is given in the declaration; the id is `bucket/key`, as the provider's."""

    type: ClassVar = "aws:s3/bucketObjectv2:BucketObjectv2"
    carried: ClassVar = frozenset(
        {"bucket", "key", "content", "contentBase64", "contentType", "metadata", "tags"}
    )
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"bucket", "key"})
    identity: ClassVar = frozenset({"bucket", "key"})
    computed: ClassVar = frozenset({"arn", "etag", "versionId", "tagsAll", "region"})
    defaults: ClassVar = {"contentType": DEFAULT_TYPE, "metadata": {}, "tags": {}}

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Put the object."""
        del name
        body = _body(inputs)
        answer = context.s3.put_object(
            Bucket=inputs["bucket"],
            Key=inputs["key"],
            Body=body,
            ContentType=inputs.get("contentType", DEFAULT_TYPE),
            Metadata=dict(inputs.get("metadata", {})),
        )
        tags = dict(inputs.get("tags", {}))
        context.s3.put_object_tagging(
            Bucket=inputs["bucket"],
            Key=inputs["key"],
            Tagging={"TagSet": _tag_set(tags)},  # type: ignore[typeddict-item]
        )
        computed = {
            "arn": f"arn:aws:s3:::{inputs['bucket']}/{inputs['key']}",
            "etag": answer["ETag"].strip('"'),
            "versionId": answer.get("VersionId", ""),
            "tagsAll": tags,
            "region": context.region,
        }
        return Created(f"{inputs['bucket']}/{inputs['key']}", {**inputs, **computed})

    def read(self, context: Context, state: State) -> Properties | None:
        """The object with its content, as text or in base64 as it was declared."""
        bucket, _, key = state.id.partition("/")
        found = _answer(lambda: context.s3.get_object(Bucket=bucket, Key=key))
        if found is None:
            return None
        body = found["Body"].read()
        is_text = "contentBase64" not in state.inputs
        return {
            "bucket": bucket,
            "key": key,
            "content" if is_text else "contentBase64": (body if is_text else base64.b64encode(body)).decode(),
            "contentType": found["ContentType"],
            "metadata": found["Metadata"],
            "tags": _tags(context.s3.get_object_tagging(Bucket=bucket, Key=key)),
        }

    def delete(self, context: Context, state: State) -> None:
        """Delete the object."""
        with _unless_gone():
            context.s3.delete_object(Bucket=state.inputs["bucket"], Key=state.inputs["key"])


def _body(inputs: Properties) -> bytes:
    if "contentBase64" in inputs:
        return base64.b64decode(inputs["contentBase64"])
    return str(inputs.get("content", "")).encode()


def _tags(answer: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])}


def _tag_set(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _empty(context: Context, bucket: str) -> None:
    for page in context.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            context.s3.delete_object(Bucket=bucket, Key=found["Key"])


def _answer(call: Callable[[], Any]) -> Any:
    """What S3 answers; None where the thing asked for is not there."""
    try:
        return call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        return None


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Passes over S3's answers that say that the thing to delete is not there."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
