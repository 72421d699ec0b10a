"""Rules on the record schema, its columns, the key and the indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from compiler.canonical import Json
from compiler.dataset import Array, BigInt, Column, Date, Jsonb, Numeric, Platform, Property, Timestamptz
from compiler.manifest import RawManifest
from compiler.problems import Finding, Pointer
from compiler.record import analyse
from compiler.record.places import Place
from compiler.suggest import fix_for, quoted
from compiler.table import type_name

_MOST_COLUMNS = 1600
_OWN_COLUMNS = 3  # sluice_sent_at, sluice_message_id, sluice_position


def record_and_columns(manifest: RawManifest) -> Iterable[Finding]:
    """The record schema is valid, closed and storable, and each column is named, typed and defaulted well."""
    return analyse(manifest).findings


def narrow(manifest: RawManifest) -> Iterator[Finding]:
    """A table has at most 1,600 columns (MaxHeapAttributeNumber); those that were dropped count too."""
    columns = _columns(manifest)
    if columns is not None and len(columns) + _OWN_COLUMNS > _MOST_COLUMNS:
        yield Place(("record",)).error(
            "too-many-columns",
            f"The table would have {len(columns):,} columns; Postgres takes {_MOST_COLUMNS:,}, of which the platform may need "
            f"{_OWN_COLUMNS}.",
            "Gather properties in an object: it is one jsonb column.",
        )


def key(manifest: RawManifest) -> Iterator[Finding]:
    """Key columns exist, always hold a value of the record's, and can stand in a btree."""
    columns = _columns(manifest)
    names = manifest.value["table"]["key"]
    if columns is None or names == "$message":
        return
    for number, name in enumerate(names):
        pointer = ("table", "key", number)
        column = columns.get(name)
        if column is None:
            yield _unknown(pointer, name, columns)
        else:
            yield from _key_column(pointer, column)


def _key_column(pointer: Pointer, column: Column) -> Iterator[Finding]:
    name, place = quoted(column.name), Place(pointer)
    if isinstance(column.source, Platform):
        yield place.error(
            "key-column",
            f"{name} is filled by the platform, so a redelivered record would get another value.",
            'Choose columns of the record, or "$message" where it has no key of its own.',
        )
    elif column.optional:
        yield place.error(
            "key-column",
            f"{name} may be missing from a record, so it cannot identify one.",
            f'Add {quoted(column.source.name)} to "required", or choose another column.',
        )
    elif column.nullable:
        yield place.error(
            "key-column",
            f"{name} may be null, so it cannot identify a record.",
            "Take null out of the property's types, or choose another column.",
        )
    if isinstance(column.type, Jsonb | Array):
        yield place.error(
            "key-column",
            f"{name} is {type_name(column.type)}, which a key cannot hold.",
            "Choose columns that hold one plain value each.",
        )


def on_conflict(manifest: RawManifest) -> Iterator[Finding]:
    """Rows are updated only where records have a key, and by a column that tells newer from older."""
    table = manifest.value["table"]
    wanted = table.get("on_conflict", "ignore")
    place = Place(("table", "on_conflict"))
    if table["key"] == "$message" and wanted != "ignore":
        yield place.error(
            "on-conflict",
            'With the key "$message" every record is a row of its own, and there is nothing to update.',
            'Use "ignore", or give the table a key of the record\'s columns.',
        )
        return
    columns = _columns(manifest)
    if columns is not None and isinstance(wanted, dict):
        yield from _newer(place.below("update_if_newer"), wanted["update_if_newer"], table, columns)


def _newer(
    place: Place, name: str, table: Mapping[str, Json], columns: Mapping[str, Column]
) -> Iterator[Finding]:
    column = columns.get(name)
    if column is None:
        yield _unknown(place.pointer, name, columns)
        return
    if not isinstance(column.type, BigInt | Numeric | Date | Timestamptz):
        yield place.error(
            "on-conflict",
            f"{quoted(name)} is {type_name(column.type)}, which does not tell newer from older.",
            "Choose a bigint, numeric, date or timestamptz column.",
        )
    if isinstance(column.source, Platform):
        yield place.error(
            "on-conflict",
            f"{quoted(name)} is filled by the platform, so it does not tell which state of the record is newer.",
            'Choose a column of the record, or "update", which compares when the messages were sent.',
        )
    elif column.nullable or column.optional:
        yield place.error(
            "on-conflict",
            f"{quoted(name)} may be missing or null, so records without it would have no order.",
            f'Add {quoted(column.source.name)} to "required" and take null out of its types.',
        )
    if name in table["key"]:
        yield place.error(
            "on-conflict",
            f"{quoted(name)} is part of the key, so two records with the same key never differ in it.",
            "Choose another column.",
        )


def indexes(manifest: RawManifest) -> Iterator[Finding]:
    """Indexes have names of their own and columns that their method can hold."""
    columns = _columns(manifest)
    seen: dict[str, int] = {}
    for number, index in enumerate(manifest.value["table"].get("indexes", ())):
        place = Place(("table", "indexes", number))
        if seen.setdefault(index["name"], number) != number:
            yield place.below("name").error(
                "index",
                f"There is another index named {quoted(index['name'])}.",
                "Give each index its own name.",
            )
        if columns is not None:
            yield from _index(place, index, columns)


def _index(place: Place, index: Mapping[str, Json], columns: Mapping[str, Column]) -> Iterator[Finding]:
    gin = index.get("method", "btree") == "gin"
    used: set[str] = set()
    for number, given in enumerate(index["columns"]):
        at = place.below("columns", number)
        name = given if isinstance(given, str) else given["column"]
        yield from _index_column(at, name, columns, used, gin=gin)
        if gin and isinstance(given, dict) and ("order" in given or "nulls" in given):
            yield at.error("index", "A gin index has no order.", f"Write {quoted(name)} alone.")
    if gin and index.get("include"):
        yield place.below("include").error(
            "index", "A gin index cannot include columns.", 'Remove "include".'
        )
    elif not gin:
        for number, name in enumerate(index.get("include", ())):
            yield from _index_column(place.below("include", number), name, columns, used, gin=False)


def _index_column(
    place: Place, name: str, columns: Mapping[str, Column], used: set[str], *, gin: bool
) -> Iterator[Finding]:
    column = columns.get(name)
    if column is None:
        yield _unknown(place.pointer, name, columns)
    elif name in used:
        yield place.error("index", f"{quoted(name)} is in this index already.", "Name each column once.")
    elif gin and not isinstance(column.type, Jsonb | Array):
        yield place.error(
            "index",
            f"{quoted(name)} is {type_name(column.type)}; gin indexes here are for jsonb and arrays.",
            'Use "method": "btree", or index a jsonb or array column.',
        )
    elif not gin and isinstance(column.type, Jsonb | Array):
        yield place.error(
            "index",
            f"{quoted(name)} is {type_name(column.type)}, whose values may be too large for a btree.",
            'Use "method": "gin".',
        )
    used.add(name)


def expressions(manifest: RawManifest) -> Iterator[Finding]:
    """`where` and `checks` are conditions over the table's own columns that give the same answer for ever."""
    table = manifest.value["table"]
    given: list[tuple[Pointer, str]] = [
        (("table", "indexes", number, "where"), index["where"])
        for number, index in enumerate(table.get("indexes", ()))
        if "where" in index
    ]
    given += [(("table", "checks", name), sql) for name, sql in table.get("checks", {}).items()]
    columns = _columns(manifest)
    if not given or columns is None:
        return
    from compiler.expressions import expression_fault  # loads Postgres' parser

    types = {name: column.type for name, column in columns.items()}
    for pointer, sql in given:
        if fault := expression_fault(sql, types):
            yield Place(pointer).error("expression", fault.message, fault.fix)


def renames(manifest: RawManifest) -> Iterator[Finding]:
    """`renamed_from` names a column that is no longer declared, and each for one column only."""
    columns = _columns(manifest) or {}
    taken: dict[str, str] = {}
    for name, column in columns.items():
        source = column.renamed_from
        if source is None:
            continue
        own = column.source.name if isinstance(column.source, Property) else name
        place = Place(("table", "columns", own, "renamed_from"))
        first = taken.setdefault(source, name)
        if source in columns:
            yield place.error(
                "column-renamed",
                f"{quoted(name)} is to be renamed from {quoted(source)}, which is a column still.",
                "Name the column that it was; to exchange two names takes three plans.",
            )
        elif first != name:
            yield place.error(
                "column-renamed",
                f"{quoted(first)} is renamed from {quoted(source)} already.",
                "One column becomes one column; add the other as a new one.",
            )


def _columns(manifest: RawManifest) -> Mapping[str, Column] | None:
    """The declared columns by name; None where they are not known, since the record itself is wrong."""
    analysis = analyse(manifest)
    return {column.name: column for column in analysis.columns} if analysis.usable else None


def _unknown(pointer: Pointer, name: str, columns: Mapping[str, Column]) -> Finding:
    for column in columns.values():
        if isinstance(column.source, Property) and column.source.name == name:
            return Place(pointer).error(
                "unknown-column",
                f"{quoted(name)} is the property's name; its column is {quoted(column.name)}.",
                f"Write {quoted(column.name)}.",
            )
    fix = fix_for(name, columns, "Declare it as a property of the record first.")
    return Place(pointer).error("unknown-column", f"There is no column {quoted(name)}.", fix)


RECORD_RULES: tuple[Callable[[RawManifest], Iterable[Finding]], ...] = (
    record_and_columns,
    narrow,
    key,
    on_conflict,
    indexes,
    expressions,
    renames,
)
