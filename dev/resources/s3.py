"""S3 buckets, their settings, and objects."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from dev.resources.context import Context
from dev.resources.handler import Created, Handler, Properties, State, Upsert, only, physical_name
from dev.resources.sqs import REGION_IS_ONE

GONE = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchBucketPolicy", "NoSuchLifecycleConfiguration", "404"})
OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


class Bucket(Handler):
    """A bucket; the id is its name."""

    type: ClassVar = "aws:s3/bucket:Bucket"
    carried: ClassVar = frozenset({"bucket", "forceDestroy", "tags"})
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"bucket"})

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
        return {
            **inputs,
            "arn": f"arn:aws:s3:::{bucket}",
            "bucketDomainName": f"{bucket}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{bucket}.s3.{context.region}.amazonaws.com",
            "bucketRegion": context.region,
            "region": context.region,
            "tagsAll": tags,
        }


class _BucketSetting(Upsert):
    """One setting of a bucket as a resource of its own; the id is the bucket's name."""

    replacing: ClassVar = frozenset({"bucket"})
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

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the setting on the bucket."""
        raise NotImplementedError

    def remover(self, context: Context) -> Callable[..., Any]:
        """The S3 call that takes the setting off the bucket named by `Bucket`."""
        raise NotImplementedError


class BucketPublicAccessBlock(_BucketSetting):
    """What S3 refuses to make public."""

    type: ClassVar = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    carried: ClassVar = frozenset({"bucket", *BLOCKS})

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set all four blocks; one that is not declared is off."""
        blocks: Any = {key[0].upper() + key[1:]: bool(inputs.get(key, False)) for key in BLOCKS}
        context.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)

    def remover(self, context: Context) -> Callable[..., Any]:
        """DeletePublicAccessBlock."""
        return context.s3.delete_public_access_block


class BucketPolicy(_BucketSetting):
    """A bucket's resource policy."""

    type: ClassVar = "aws:s3/bucketPolicy:BucketPolicy"
    carried: ClassVar = frozenset({"bucket", "policy"})

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the policy."""
        context.s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

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


class BucketLifecycle(_BucketSetting):
    """When objects expire. The emulator keeps the rules and expires nothing."""

    type: ClassVar = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    carried: ClassVar = frozenset({"bucket", "rules"})

    def put(self, context: Context, bucket: str, inputs: Properties) -> None:
        """Set the rules."""
        rules: Any = [_lifecycle_rule(rule) for rule in inputs["rules"]]
        context.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    def remover(self, context: Context) -> Callable[..., Any]:
        """DeleteBucketLifecycle."""
        return context.s3.delete_bucket_lifecycle


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    known = (
        "id",
        "status",
        "filter",
        "expiration",
        "noncurrentVersionExpiration",
        "abortIncompleteMultipartUpload",
    )
    only(rule, known, "a lifecycle rule")
    found: dict[str, Any] = {"ID": rule["id"], "Status": rule["status"], "Filter": {"Prefix": ""}}
    if rule.get("filter"):
        only(rule["filter"], ("prefix",), "a lifecycle rule's filter")
        found["Filter"] = {"Prefix": rule["filter"].get("prefix", "")}
    for key, wire, days in (
        ("expiration", "Expiration", "days"),
        ("noncurrentVersionExpiration", "NoncurrentVersionExpiration", "noncurrentDays"),
        ("abortIncompleteMultipartUpload", "AbortIncompleteMultipartUpload", "daysAfterInitiation"),
    ):
        if rule.get(key):
            only(rule[key], (days,), key)
            found[wire] = {days[0].upper() + days[1:]: int(rule[key][days])}
    return found


class BucketObject(Upsert):
    """An object whose content is given in the declaration; the id is `bucket/key`, as the provider's."""

    type: ClassVar = "aws:s3/bucketObjectv2:BucketObjectv2"
    carried: ClassVar = frozenset(
        {"bucket", "key", "content", "contentBase64", "contentType", "metadata", "tags"}
    )
    inert: ClassVar = {"region": REGION_IS_ONE}
    replacing: ClassVar = frozenset({"bucket", "key"})

    def create(self, context: Context, name: str, inputs: Properties) -> Created:
        """Put the object."""
        del name
        body = _body(inputs)
        answer = context.s3.put_object(
            Bucket=inputs["bucket"],
            Key=inputs["key"],
            Body=body,
            ContentType=inputs.get("contentType", "application/octet-stream"),
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

    def delete(self, context: Context, state: State) -> None:
        """Delete the object."""
        with _unless_gone():
            context.s3.delete_object(Bucket=state.inputs["bucket"], Key=state.inputs["key"])


def _body(inputs: Properties) -> bytes:
    if "contentBase64" in inputs:
        return base64.b64decode(inputs["contentBase64"])
    return str(inputs.get("content", "")).encode()


def _tag_set(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _empty(context: Context, bucket: str) -> None:
    for page in context.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            context.s3.delete_object(Bucket=bucket, Key=found["Key"])


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Passes over S3's answers that say that the thing to delete is not there."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
