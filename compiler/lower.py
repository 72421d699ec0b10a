"""RawManifest -> Dataset: the manifest with every default, as the emitters read it.

Call it for a manifest that passed every rule; nothing is decided here that a rule has not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import NAMESPACE_DNS, UUID, uuid5

from compiler.canonical import Json
from compiler.dataset import (
    Check,
    Classification,
    Dataset,
    Expression,
    Ignore,
    Index,
    IndexColumn,
    Key,
    MessageKey,
    Method,
    NaturalKey,
    Nulls,
    OnConflict,
    Order,
    Update,
    UpdateIfNewer,
)
from compiler.defaults import complete
from compiler.manifest import RawManifest
from compiler.operation import Alarms, Buffer, BufferFormat, Sink, Tombstone
from compiler.record import analyse

# A dataset's id is uuid5 of its name in this namespace, unless the manifest gives one.
DATASETS_NAMESPACE = uuid5(NAMESPACE_DNS, "sluice.dev")


def lower(manifest: RawManifest) -> Dataset:
    """The complete Dataset. Raises AssertionError where the manifest did not pass the rules."""
    analysis = analyse(manifest)
    assert analysis.usable, [finding.message for finding in analysis.findings]
    value = complete({**manifest.value, "record": {}})  # the record has no defaults, and may be large
    table = value["table"]
    return Dataset(
        name=value["name"],
        version=value["version"],
        uuid=dataset_uuid(value),
        owner=value["owner"],
        description=value["description"],
        classification=Classification(value["classification"]),
        schema=table["schema"],
        record=analysis.record,
        record_sha256=analysis.record_sha256,
        effective=analysis.effective,
        columns=analysis.columns,
        key=lower_key(table["key"]),
        on_conflict=lower_on_conflict(table["on_conflict"]),
        checks=(*analysis.checks, *_user_checks(table["checks"])),
        indexes=tuple(map(lower_index, table["indexes"])),
        producers=tuple(sorted(set(value["producers"]))),
        readers=tuple(sorted(set(value["readers"]))),
        buffer=Buffer(**{**value["buffer"], "format": BufferFormat(value["buffer"]["format"])}),
        sink=Sink(**value["sink"]),
        alarms=Alarms(**value["alarms"]),
        publish_events=value["events"]["publish"],
        compatible_because=value["evolve"].get("compatible"),
        narrowings=analysis.narrowings,
        unmanaged=tuple(sorted(set(table["unmanaged"]))),
    )


def sealed(dataset: Dataset, tombstone: Tombstone | None) -> Dataset:
    """The dataset as its tombstone leaves it: nobody sends to it any more."""
    return dataset if tombstone is None else replace(dataset, producers=(), tombstone=tombstone)


def dataset_uuid(value: Mapping[str, Json]) -> UUID:
    """The permanent id: as given, else derived from the name."""
    return UUID(value["uuid"]) if "uuid" in value else uuid5(DATASETS_NAMESPACE, value["name"])


def lower_key(value: Json) -> Key:
    """`table.key`."""
    return MessageKey() if value == "$message" else NaturalKey(tuple(value))


def lower_on_conflict(value: Json) -> OnConflict:
    """`table.on_conflict`."""
    match value:
        case "ignore":
            return Ignore()
        case "update":
            return Update()
        case _:
            return UpdateIfNewer(value["update_if_newer"])


def lower_index(value: Mapping[str, Json]) -> Index:
    """One of `table.indexes`."""
    return Index(
        name=value["name"],
        method=Method(value["method"]),
        columns=tuple(map(_index_column, value["columns"])),
        include=tuple(value["include"]),
        where=_expression(value["where"]) if "where" in value else None,
    )


def _index_column(value: Json) -> IndexColumn:
    given = {"column": value} if isinstance(value, str) else value
    order = Order(given.get("order", Order.ASC))
    nulls = Nulls.FIRST if order is Order.DESC else Nulls.LAST
    return IndexColumn(given["column"], order, Nulls(given.get("nulls", nulls)))


def _user_checks(checks: Mapping[str, str]) -> Iterator[Check]:
    for name, sql in sorted(checks.items()):
        yield Check(name, _expression(sql))


def _expression(sql: str) -> Expression:
    from compiler.expressions import canonical_expression  # pglast is loaded only where a manifest has SQL

    return Expression(canonical_expression(sql))
