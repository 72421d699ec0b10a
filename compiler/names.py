"""Every name that is derived from a dataset's name, in one place.

Limits: 63 bytes in Postgres, 64 characters in IAM, 80 in SQS and 256 in SNS. The environment's prefix may be 16.
"""

from __future__ import annotations

import hashlib
import re

POSTGRES_LIMIT = 63
IAM_LIMIT = 64
SQS_LIMIT = 80

OWNER_ROLE = "sluice_owner"
SINK_GROUP_ROLE = "sluice_sink"
OPERATOR_GROUP_ROLE = "sluice_operator"
RDS_IAM_ROLE = "rds_iam"  # of RDS: its members log in with tokens, and with nothing else
GROUP_ROLES = (SINK_GROUP_ROLE, OPERATOR_GROUP_ROLE)
CONTROL_SCHEMA = "sluice"
DATASETS_SCHEMA = "datasets"

# Columns with this prefix belong to Sluice; a record property may not take one.
RESERVED_COLUMN_PREFIX = "sluice_"
MESSAGE_ID_COLUMN = "sluice_message_id"
POSITION_COLUMN = "sluice_position"
SENT_AT_COLUMN = "sluice_sent_at"


def physical(prefix: str, dataset: str, suffix: str, limit: int) -> str:
    """`prefix_dataset_suffix`, empty parts left out; over `limit` bytes it is cut and 8 hex digits keep it unique."""
    name = "_".join(filter(None, (prefix, dataset, suffix)))
    if len(name.encode()) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    head = "_".join(part for part in (prefix, dataset) if part)
    tail = f"_{digest}_{suffix}" if suffix else f"_{digest}"
    return head.encode()[: limit - len(tail.encode())].decode(errors="ignore") + tail


def base_table(dataset: str, version: int) -> str:
    """The physical table of one generation; the dataset's own name is the view on the current one."""
    return physical("", dataset, f"v{version}", POSTGRES_LIMIT)


def index(table: str, name: str) -> str:
    """An index's name in Postgres, where indexes share one namespace with tables."""
    return physical("", table, f"{name}_idx", POSTGRES_LIMIT)


def coming_index(index: str) -> str:
    """What an index is called while it is built to take another's name. No manifest's index ends so."""
    return physical("", index, "coming", POSTGRES_LIMIT)


def going_index(index: str) -> str:
    """What an index is called after another has taken its name, until it is dropped."""
    return physical("", index, "going", POSTGRES_LIMIT)


def key_index(table: str) -> str:
    """The unique constraint (and its index) that makes redelivery harmless."""
    return physical("", table, "key", POSTGRES_LIMIT)


def check(column: str, identity: str) -> str:
    """A CHECK's name carries the id of its structured source, since deparsed text is no fixpoint."""
    return physical("ck", column, identity, POSTGRES_LIMIT)


def writer_role(prefix: str, dataset: str) -> str:
    """The role that may write the dataset's table; sink logins are members."""
    return physical(prefix, dataset, "w", POSTGRES_LIMIT)


def reader_role(prefix: str, dataset: str) -> str:
    """The role that may read the dataset's view; readers are members."""
    return physical(prefix, dataset, "r", POSTGRES_LIMIT)


def sink_login(prefix: str, dataset: str) -> str:
    """The role that the dataset's sink logs in as."""
    return physical(prefix, dataset, "sink", POSTGRES_LIMIT)


def buffer_queue(prefix: str, dataset: str) -> str:
    """The dataset's SQS queue."""
    return physical(prefix, dataset, "buffer", SQS_LIMIT)


def dead_letter_queue(prefix: str, dataset: str) -> str:
    """The dataset's dead-letter queue."""
    return physical(prefix, dataset, "dlq", SQS_LIMIT)


def topic(prefix: str, dataset: str) -> str:
    """The SNS topic of the dataset's update events."""
    return physical(prefix, dataset, "commits", SQS_LIMIT)


_COMPASS = re.compile("north|south|east|west|central")


def region_code(region: str) -> str:
    """`eu-central-1` -> `euc1`, `ap-southeast-1` -> `apse1`: IAM names are global, so they carry the region."""
    area, *middle, number = region.split("-")
    words = (_COMPASS.findall(part) or [part] for part in middle)
    return area + "".join(word[0] for group in words for word in group) + number


def partition(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`: the part of AWS that the region is in, as ARNs begin with it."""
    match region.split("-"):
        case ["cn", *_]:
            return "aws-cn"
        case ["us", "gov", *_]:
            return "aws-us-gov"
        case _:
            return "aws"


def sink_iam_role(prefix: str, dataset: str, region: str) -> str:
    """The IAM role that the dataset's sink runs as."""
    return physical(prefix, dataset, f"sink_{region_code(region)}", IAM_LIMIT)


def producer_policy(prefix: str, producer: str, region: str, part: int = 1) -> str:
    """One managed policy for each producer and stack; `part` counts from 1 where it had to be split by size."""
    return physical(prefix, producer, f"producer_{region_code(region)}_{part}", IAM_LIMIT)


def iam_path(prefix: str) -> str:
    """The path of the stack's roles and policies, so that rights over them can be given by it."""
    return f"/sluice/{prefix}/"


def operator_iam_role(prefix: str, region: str) -> str:
    """The IAM role that operators take to look through queues and to send dead letters again."""
    return physical(prefix, "operator", region_code(region), IAM_LIMIT)


def operator_policy(prefix: str, region: str, part: int = 1) -> str:
    """One managed policy of the operator's role; `part` counts from 1 where it had to be split by size."""
    return physical(prefix, "operator", f"{region_code(region)}_{part}", IAM_LIMIT)


def operator_role(prefix: str) -> str:
    """The operators' role in Postgres; their logins are members."""
    return physical(prefix, "operator", "", POSTGRES_LIMIT)


def key_alias(prefix: str) -> str:
    """The alias of the stack's KMS key."""
    return f"alias/sluice/{prefix}"


def plan_bucket(prefix: str, account: str, region: str) -> str:
    """S3 bucket names are global and know no underscore."""
    return f"{prefix.replace('_', '-')}-sluice-plans-{account}-{region_code(region)}"


def plan_key(dataset: str, plan_sha256: str) -> str:
    """The plan object's key: content-addressed, so that a rolled-back sink still finds its own plan."""
    return f"plans/{dataset}/{plan_sha256.removeprefix('sha256:')}.json"


def login_secret(prefix: str, dataset: str) -> str:
    """The secret that holds the sink's login: {username, password}."""
    return physical(prefix, dataset, "sink_login", SQS_LIMIT)


ECS_LIMIT = 255  # of families and services; alarms, dashboards and security groups take as many


def service(prefix: str, dataset: str) -> str:
    """The ECS service of the dataset's sinks, and the family of its task definitions."""
    return physical(prefix, dataset, "sink", ECS_LIMIT)


def log_group(prefix: str, dataset: str) -> str:
    """The CloudWatch log group of the dataset's sinks."""
    return f"/sluice/{prefix}/{dataset}"


def log_groups(prefix: str) -> str:
    """A pattern over the log groups of every dataset."""
    return log_group(prefix, "*")


def cluster(prefix: str) -> str:
    """The stack's own ECS cluster."""
    return f"{prefix}_sluice"


def sinks_security_group(prefix: str) -> str:
    """The security group of all of a stack's sinks."""
    return f"{prefix}_sluice_sinks"


def execution_iam_role(prefix: str, region: str) -> str:
    """The IAM role with which ECS starts tasks: it pulls the image and opens log streams."""
    return physical(prefix, "", f"sluice_execution_{region_code(region)}", IAM_LIMIT)


def alarm(prefix: str, dataset: str, kind: str) -> str:
    """A CloudWatch alarm; `kind` is what it tells, in words with underscores."""
    return physical(prefix, dataset, kind, ECS_LIMIT)


def metric_namespace(prefix: str) -> str:
    """Where metrics made from the sinks' log lines are."""
    return f"Sluice/{prefix}"


def dashboard(prefix: str) -> str:
    """The stack's CloudWatch dashboard."""
    return f"{prefix}_sluice"
