"""What this release leaves out on purpose: each refused with its reason and the way out, never with "unknown field"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compiler.canonical import Json
from compiler.problems import Finding, Pointer

ANY = None


@dataclass(frozen=True)
class LeftOut:
    """A field (or, with `values`, some of its values) that is refused.

    `path` is a pointer with ANY for any step; its last step may name alternatives with `|`.
    """

    path: tuple[str | None, ...]
    reason: str
    way_out: str
    values: str | None = None
    rule: str = "not-in-this-release"


_ON_LAMBDA = (
    "Sinks do not run on Lambda: its event source mapping cannot stop receiving while Postgres is away, and its filter"
    " deletes what does not match."
)
_PARTITIONS = "Partitioned tables are not in this release: partitions need DDL between deploys, and nobody may run it yet."
_EVENT_BRIDGE = (
    "Update events go to the dataset's own SNS topic; EventBridge targets are not in this release."
)
_ONE_PROCESS = "One sink process serves one dataset, so that one dataset's trouble never stops another."
_SECOND_KEY = (
    "Secondary unique constraints are not in this release: INSERT … ON CONFLICT on the key fails at random beside a"
    " second unique index."
)
_CUT_OVER = "A new version does not take over messages in flight."
_TYPES = ("table", "columns", ANY, "type")
_SECONDS = "Only timestamps with time zone are stored: an instant means the same in every session."

LEFT_OUT = (
    LeftOut(("sink", "lambda|runtime|kind|type|compute|platform"), _ON_LAMBDA, "Remove it; sinks run as services."),
    LeftOut(
        ("sink", "group|shared|share_with|process|datasets"), _ONE_PROCESS, "Remove it; size the sink by its tasks."
    ),
    LeftOut(
        ("table", "partition|partitions|partition_by|partitioning|partitioned"),
        _PARTITIONS,
        "Remove it; an index on the time column serves range queries.",
    ),
    LeftOut(
        ("events", "eventbridge|event_bridge|event_bus|bus|targets|target"),
        _EVENT_BRIDGE,
        "Remove it and subscribe to the topic.",
    ),
    LeftOut(("table", "unique|uniques|unique_constraints"), _SECOND_KEY, 'Use the columns as "key", or a plain index.'),
    LeftOut(("table", "indexes", ANY, "unique"), _SECOND_KEY, 'Remove it, or make the columns the "key".'),
    LeftOut(("table", "indexes", ANY, "concurrently"), "The planner decides how an index is built.", "Remove it."),
    LeftOut(
        ("table", "indexes", ANY, "method"),
        "Hash indexes are not in this release: a btree serves equality as well, and sorts.",
        'Use "btree".',
        values="hash",
    ),
    LeftOut(
        ("table", "indexes", ANY, "method"),
        "BRIN indexes are not in this release: they need rows that stay in insertion order, which updates undo.",
        'Use "btree".',
        values="brin",
    ),
    LeftOut(
        ("table", "indexes", ANY, "method"),
        "GiST and SP-GiST indexes serve types that no column of this release has.",
        'Use "btree", or "gin" for jsonb and arrays.',
        values="gist|spgist",
    ),
    LeftOut(("from_previous",), _CUT_OVER, "Drain the old version's buffer, then cut over."),
    LeftOut(("buffer|evolve|table", "from_previous"), _CUT_OVER, "Drain the old version's buffer, then cut over."),
    LeftOut(
        ("buffer", "fifo"),
        "Buffers are standard queues: the key and on_conflict make order and redelivery harmless.",
        "Remove it.",
    ),
    LeftOut(
        ("evolve", ANY),
        'Of the statements on a change this release knows "compatible" alone.',
        "Remove it.",
    ),
    LeftOut(
        _TYPES, "A time of day is stored with the offset that it was sent with.", 'Use "timetz".',
        values=r"time\b[^[]*", rule="wrong-value",
    ),
    LeftOut(
        _TYPES,
        "Arrays are flat, and their elements are bigint, boolean, date, numeric, text, timestamptz or uuid.",
        "Use one of these, or jsonb, which holds any array and which a gin index can search.",
        values=r".*\[.*\]",
        rule="wrong-value",
    ),
    LeftOut(_TYPES, "Lengths are CHECKs, never part of a type.", 'Use "text" and "maxLength" in the record.',
            values=r"(var)?char.*|character.*", rule="wrong-value"),
    LeftOut(_TYPES, "Whole numbers are stored as bigint, which costs little and never has to be widened.",
            'Use "bigint" with "minimum" and "maximum" in the record.', values="int[0-9]?|integer|smallint|(small|big)?serial",
            rule="wrong-value"),
    LeftOut(_TYPES, "Numbers are stored in double precision or as numeric(p,s).", 'Use "double precision" or "numeric(p,s)".',
            values="real|float.*|double|decimal.*|money", rule="wrong-value"),
    LeftOut(_TYPES, _SECONDS, 'Use "timestamptz".', values="timestamp.*|datetime", rule="wrong-value"),
    LeftOut(_TYPES, "json keeps text and cannot be indexed.", 'Use "jsonb".', values="json", rule="wrong-value"),
)  # fmt: skip


def refused_field(pointer: Pointer) -> Finding | None:
    """The refusal of a field that no manifest has, or None where it is simply unknown."""
    for entry in LEFT_OUT:
        if entry.values is None and _leads(entry.path, pointer):
            return Finding(pointer, entry.rule, entry.reason, entry.way_out, at_key=True)
    return None


def refused_value(pointer: Pointer, value: Json) -> Finding | None:
    """The refusal of a value that a field does not take, or None where it is simply wrong."""
    for entry in LEFT_OUT:
        if entry.values is None or not isinstance(value, str) or not _leads(entry.path, pointer):
            continue
        if re.fullmatch(entry.values, value.strip(), re.IGNORECASE):
            return Finding(pointer, entry.rule, entry.reason, entry.way_out)
    return None


def _leads(path: tuple[str | None, ...], pointer: Pointer) -> bool:
    return len(path) == len(pointer) and all(
        step is ANY or found in step.split("|") for step, found in zip(path, pointer, strict=True)
    )
