"""One property and its options -> one column; and the columns that the platform fills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.canonical import Json, JsonDocument
from compiler.dataset import (
    Classification,
    Column,
    ColumnType,
    Jsonb,
    Numeric,
    Platform,
    Property,
    Text,
    Timestamptz,
    Uuid,
)
from compiler.names import POSTGRES_LIMIT
from compiler.problems import Finding
from compiler.record.bundle import Bundle
from compiler.record.defaults import default_fault
from compiler.record.domain import domain
from compiler.record.kinds import admits_null
from compiler.record.naming import fault, good_name
from compiler.record.objects import Member
from compiler.record.places import Place
from compiler.record.typemap import TypeRefused, column_type, named_type, parse_type
from compiler.suggest import fix_for, quoted

Options = Mapping[str, Json]

PLATFORM_TYPES: Mapping[Platform, ColumnType] = {
    Platform.INGESTED_AT: Timestamptz(),
    Platform.SENT_AT: Timestamptz(),
    Platform.MESSAGE_ID: Uuid(),
    Platform.SENDER: Text(),
    Platform.RECORD: Jsonb(),
}
_OPTIONS = Place(("table", "columns"))


@dataclass(frozen=True)
class Source:
    """A record column with what it was made from."""

    column: Column
    member: Member
    domain: Mapping[str, Json]


def record_column(
    member: Member, options: Options, classification: Classification, bundle: Bundle
) -> tuple[Source | None, tuple[Finding, ...]]:
    """The property's column, or the findings that stand in its way (warnings may come with a column)."""
    findings = list(_name_findings(member, options))
    try:
        type_ = _type(options, member, bundle)
    except TypeRefused as refused:
        at = _OPTIONS.below(member.name, "type") if "type" in options else member.place
        return None, (*findings, at.error("column-type", str(refused), refused.fix))
    rounds = bool(options.get("round")) and isinstance(type_, Numeric) and type_.precision is not None
    if options:  # most properties have none
        findings.extend(_option_findings(member, options, type_, bundle))
    default = options.get("default")
    column = Column(
        name=options.get("column", member.name),
        type=type_,
        nullable=(not member.required and default is None)
        or admits_null(member.schema, member.facts.kind, bundle),
        source=Property(member.name),
        classification=_classification(options, classification),
        default=None if default is None else JsonDocument.of(default),
        description=description(member.schema, bundle),
        rounds=rounds,
        optional=not member.required,
        renamed_from=options.get("renamed_from"),
    )
    return Source(column, member, domain(type_, rounds=rounds)), tuple(findings)


def _classification(options: Options, whole: Classification) -> Classification:
    return Classification(options["classification"]) if "classification" in options else whole


def _type(options: Options, member: Member, bundle: Bundle) -> ColumnType:
    if "type" in options:
        return named_type(options["type"], member.facts, bundle)
    return column_type(member.facts)


def description(schema: Json, bundle: Bundle) -> str | None:
    """The property's description, its own before that of what it refers to."""
    while isinstance(schema, dict):
        if isinstance(schema.get("description"), str) and schema["description"]:
            return str(schema["description"])
        if "allOf" in schema and "$ref" not in schema:
            found = (description(part, bundle) for part in schema["allOf"])
            return next((text for text in found if text), None)
        schema = bundle.follow(schema) if "$ref" in schema else None
    return None


def _name_findings(member: Member, options: Options) -> Iterator[Finding]:
    name = member.name
    if "column" in options:
        if reason := fault(options["column"]):
            yield _OPTIONS.below(name, "column").error(
                "column-name",
                f"The column name {quoted(options['column'])} {reason}.",
                f"Use {quoted(good_name(options['column']))}, for example.",
            )
    elif reason := fault(name):
        shown = quoted(name if len(name) <= POSTGRES_LIMIT else f"{name[:40]}…")
        yield member.place.error(
            "column-name",
            f"The property {shown} {reason}.",
            f'Name its column: add {quoted(name)}: {{"column": {quoted(good_name(name))}}} to table.columns.',
            at_key=True,
        )


def _option_findings(
    member: Member, options: Options, type_: ColumnType, bundle: Bundle
) -> Iterator[Finding]:
    place = _OPTIONS.below(member.name)
    if "from" in options:
        yield place.below("from").error(
            "column-from",
            f"{quoted(member.name)} is a property of the record, so the platform cannot fill it.",
            "Give the platform's column another name.",
        )
    if "round" in options and not (isinstance(type_, Numeric) and type_.precision is not None):
        yield place.below("round").error(
            "column-round",
            "Only numeric(p,s) columns round.",
            'Give the column a type such as "numeric(12,4)", or remove "round".',
            at_key=True,
        )
    if "default" in options:
        reason = default_fault(options["default"], member.schema, type_, bundle)
        yield from _default_findings(place, reason, member)


def _default_findings(place: Place, reason: str | None, member: Member) -> Iterator[Finding]:
    if reason:
        yield place.below("default").error(
            "column-default",
            f"The column would not take its default: {reason}.",
            "Give a value that the property's own schema admits.",
        )
    if member.required:
        yield place.below("default").warning(
            "column-default",
            f"The default has no effect on records, since {quoted(member.name)} is required.",
            'Remove it, or take the property out of "required".',
            at_key=True,
        )


def platform_column(
    name: str, options: Options, classification: Classification
) -> tuple[Column, tuple[Finding, ...]]:
    """A column that the platform fills. `$ingested_at` is never null; the others are where the sink cannot know them."""
    place = _OPTIONS.below(name)
    findings = [
        place.below(option).error(
            "column-from",
            f"{quoted(option)} means nothing for a column that the platform fills.",
            f"Remove it; {options['from']} has its own type and value.",
            at_key=True,
        )
        for option in ("type", "default", "round", "column")
        if option in options
    ]
    if reason := fault(name):
        fix = f"Use {quoted(good_name(name))}, for example."
        findings.append(
            place.error("column-name", f"The column name {quoted(name)} {reason}.", fix, at_key=True)
        )
    source = Platform(options["from"])
    column = Column(
        name=name,
        type=PLATFORM_TYPES[source],
        nullable=source is not Platform.INGESTED_AT,
        source=source,
        classification=_classification(options, classification),
        renamed_from=options.get("renamed_from"),
    )
    return column, tuple(findings)


def stray_findings(options: Mapping[str, Options], properties: list[str]) -> Iterator[Finding]:
    """`table.columns` entries that name no property and have no `from`; their types are still looked at."""
    for name, given in options.items():
        if name not in properties and "from" not in given:
            yield _OPTIONS.below(name).error(
                "unknown-column",
                f"The record has no property {quoted(name)}.",
                fix_for(name, properties, 'A column that the platform fills has "from".'),
                at_key=True,
            )
        if "type" in given and name not in properties:
            try:
                parse_type(given["type"])
            except TypeRefused as refused:
                yield _OPTIONS.below(name, "type").error("column-type", str(refused), refused.fix)


def collisions(columns: list[Column], places: Mapping[str, Place]) -> Iterator[Finding]:
    """Columns that would share a name. `places`: by the source's own name."""
    taken: dict[str, Column] = {}
    for column in columns:
        first = taken.setdefault(column.name, column)
        if first is not column:
            own = column.source.name if isinstance(column.source, Property) else column.name
            yield places[own].error(
                "column-name",
                f"Two columns would be named {quoted(column.name)}.",
                'Give one of them another name with "column".',
                at_key=True,
            )
