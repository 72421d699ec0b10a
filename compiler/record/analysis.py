"""All that the record schema and the column options say, worked out once for each manifest.

The rules read the findings, lowering reads the rest, so nothing is decided twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from compiler.canonical import Json, JsonDocument, sha256
from compiler.dataset import (
    Array,
    BigInt,
    Bytea,
    Check,
    Classification,
    Column,
    Jsonb,
    Narrowing,
    Platform,
    Text,
    Uuid,
)
from compiler.manifest import RawManifest
from compiler.problems import Finding, Severity
from compiler.record.aliases import alias_cycles
from compiler.record.bundle import Bundle, bundle, without_annotations
from compiler.record.checks import checks_of, sink_only
from compiler.record.columns import Source, collisions, platform_column, record_column, stray_findings
from compiler.record.contradictions import contradictions
from compiler.record.dialects import DIALECT_2020_12, DRAFT_2020_12
from compiler.record.documents import Document, Documents, declared_dialect
from compiler.record.domain import JSON_DEFINITION, json_definition, limits
from compiler.record.kinds import Kind, item_facts
from compiler.record.objects import RecordObject, object_findings, record_object
from compiler.record.places import Place, Refused
from compiler.record.validity import schema_faults, unchecked
from compiler.record.widths import BUDGET, Entry, Fit, fit, longest_bytes, longest_decoded
from compiler.suggest import quoted


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a manifest's record and columns mean.

    `findings` say what is wrong; with errors among them the rest may be incomplete. `sources` are the record's columns
    in the order of the properties, `platform` those that the platform fills. `fits` are the lengths that btrees ask for.
    """

    bundle: Bundle | None
    sources: tuple[Source, ...]
    platform: tuple[Column, ...]
    fits: Fit
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the columns were looked at; without that the findings are those of the record schema alone."""
        return self.bundle is not None

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The record's columns, then the platform's."""
        return (*(source.column for source in self.sources), *self.platform)

    @property
    def usable(self) -> bool:
        """Are the columns known, so that keys and indexes can be judged?"""
        return self.bundle is not None and not any(
            found.severity is Severity.ERROR for found in self.findings
        )

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The CHECKs that keywords become, by column."""
        return tuple(check for source in self.sources for check in self.checks_of(source))

    def checks_of(self, source: Source) -> tuple[Check, ...]:
        """One column's share of them."""
        return checks_of(source.column, source.member.facts)

    def sink_only(self, source: Source) -> tuple[str, ...]:
        """What the sink alone checks of that column."""
        return sink_only(source.column, source.member.facts, self.checks_of(source))

    @cached_property
    def record(self) -> JsonDocument:
        """The bundled record schema, 2020-12, with its annotations."""
        return JsonDocument.of(self._bundle.document)

    @cached_property
    def record_sha256(self) -> str:
        """Its hash without annotations: what a message's `schema` names."""
        return sha256(without_annotations(self._bundle.document))

    @cached_property
    def effective(self) -> JsonDocument:
        """The one schema that the sink admits by: record and domain."""
        definitions = dict(self._bundle.definitions)
        if any(isinstance(column.type, Jsonb) for column in self.columns):
            definitions[JSON_DEFINITION] = json_definition()
        effective = {"$schema": DRAFT_2020_12, "allOf": [self._bundle.schema, self._domain()]}
        return JsonDocument.of({**effective, "$defs": definitions} if definitions else effective)

    @cached_property
    def narrowings(self) -> tuple[Narrowing, ...]:
        """Where the effective schema admits less than the record schema, column by column."""
        return tuple(narrowing for source in self.sources for narrowing in _narrowings(source, self))

    @property
    def _bundle(self) -> Bundle:
        assert self.bundle is not None, "asked of a record schema that could not be bundled"
        return self.bundle

    def _domain(self) -> dict[str, Json]:
        properties = {}
        for source in self.sources:
            limit = _limited(source, self.fits)
            if limit:
                properties[source.member.name] = limit
        whole: dict[str, Json] = {"properties": properties}
        if any(column.source is Platform.RECORD for column in self.platform):
            whole["$ref"] = f"#/$defs/{JSON_DEFINITION}"
        return whole


_NO_FIT = Fit({}, ())
_SENDER_BYTES = 256  # an IAM unique id of 21 characters and a session name of 64, with room to spare


def analyse(manifest: RawManifest) -> Analysis:
    """The manifest's analysis; worked out at the first call and kept with the manifest, as a cached property would be."""
    kept: Analysis | None = vars(manifest).get("_analysis")
    if kept is None:
        kept = vars(manifest)["_analysis"] = _analyse(manifest)
    return kept


def _analyse(manifest: RawManifest) -> Analysis:
    try:
        bundled, findings = _bundled(manifest)
    except Refused as refused:
        return Analysis(None, (), (), _NO_FIT, (refused.finding,))
    if any(found.severity is Severity.ERROR for found in findings):
        return Analysis(None, (), (), _NO_FIT, findings)
    return _with_columns(manifest, bundled, findings)


def _bundled(manifest: RawManifest) -> tuple[Bundle, tuple[Finding, ...]]:
    """The bundle, with what is wrong in any of its documents. Raises Refused where there is none."""
    value = manifest.value["record"]
    dialect = declared_dialect(value, Place(("record",)), DIALECT_2020_12)
    main = Document(value, dialect, prefix=("record",))
    if faults := schema_faults(value, main.place(()), dialect):
        return Bundle({}, {}, {}, (), ()), faults
    documents = Documents(manifest.folder, main)
    bundled = bundle(documents)
    if any(found.severity is Severity.ERROR for found in bundled.findings):
        return bundled, bundled.findings
    return bundled, (*bundled.findings, *alias_cycles(bundled), *unchecked(bundled.assertions))


def _with_columns(manifest: RawManifest, bundled: Bundle, findings: tuple[Finding, ...]) -> Analysis:
    table = manifest.value["table"]
    options: Mapping[str, Mapping[str, Json]] = table.get("columns", {})
    classification = Classification(manifest.value.get("classification", Classification.INTERNAL))
    record = record_object(bundled)
    found = list(findings)
    keeps_record = any(given.get("from") == Platform.RECORD for given in options.values())
    found.extend(object_findings(bundled, record, keeps_record=keeps_record))
    found.extend(contradictions(record.members))
    sources = []
    for member in record.members:
        source, said = record_column(member, options.get(member.name, {}), classification, bundled)
        found.extend(said)
        sources += [source] if source else []
    platform, more = _platform(record, options, classification)
    found.extend(more)
    columns = [*(source.column for source in sources), *platform]
    places = {member.name: member.place for member in record.members}
    found.extend(
        collisions(columns, {**{name: Place(("table", "columns", name)) for name in options}, **places})
    )
    by_name = {column.name: column for column in columns}
    fits = fit(_entries(table, by_name), by_name, _longest(sources, platform, bundled))
    found.extend(_width_findings(fits, sources))
    return Analysis(bundled, tuple(sources), platform, fits, tuple(found))


def _platform(
    record: RecordObject, options: Mapping[str, Mapping[str, Json]], classification: Classification
) -> tuple[tuple[Column, ...], list[Finding]]:
    properties = [member.name for member in record.members]
    made = [
        platform_column(name, given, classification)
        for name, given in options.items()
        if "from" in given and name not in properties
    ]
    findings = [finding for _, said in made for finding in said]
    return tuple(column for column, _ in made), [*findings, *stray_findings(options, properties)]


def _limited(source: Source, fits: Fit) -> dict[str, Json]:
    """The property's domain with the length that an index asks for."""
    limit = dict(source.domain)
    if source.column.name in fits.narrowed:
        longest = {"maxLength": fits.narrowed[source.column.name][0]}
        limit.update({"items": limit["items"] | longest} if _is_array(source) else longest)
    return limit


def _is_array(source: Source) -> bool:
    return isinstance(source.column.type, Array)


def _entries(table: Mapping[str, Json], columns: Mapping[str, Column]) -> Iterator[Entry]:
    """The key and each index, with all the columns that one of their entries stores."""
    arrays = {name for name, column in columns.items() if isinstance(column.type, Array)}

    def plain(names: Iterable[str]) -> tuple[str, ...]:  # no btree holds an array: refused elsewhere
        return tuple(name for name in dict.fromkeys(names) if name not in arrays)

    if isinstance(table["key"], list):
        yield Entry("the key", ("table", "key"), plain(table["key"]))
    for number, index in enumerate(table.get("indexes", ())):
        title, pointer = f"the index {quoted(index['name'])}", ("table", "indexes", number, "columns")
        names = [part if isinstance(part, str) else part["column"] for part in index["columns"]]
        if index.get("method", "btree") == "btree":
            yield Entry(title, pointer, plain((*names, *index.get("include", ()))))
        else:
            yield from (Entry(title, pointer, (name,)) for name in names if name in arrays)


def _longest(sources: list[Source], platform: tuple[Column, ...], bundled: Bundle) -> dict[str, int | None]:
    found: dict[str, int | None] = {
        column.name: _SENDER_BYTES for column in platform if column.source is Platform.SENDER
    }
    for source in sources:
        facts = source.member.facts
        match source.column.type:
            case Text():
                found[source.column.name] = longest_bytes(facts)
            case Bytea():
                found[source.column.name] = longest_decoded(facts)
            case Array(Text()):
                found[source.column.name] = longest_bytes(item_facts(facts, bundled))
            case _:
                pass
    return found


def _width_findings(fits: Fit, sources: list[Source]) -> Iterator[Finding]:
    named = {source.column.name: source for source in sources}
    for wide in fits.too_wide:
        widths = ", ".join(f"{name} {width}" for name, width in wide.widths)
        yield Place(wide.entry.pointer).error(
            "index-too-wide",
            f"An entry of {wide.entry.title} may take {wide.total} bytes ({widths}); an index holds {BUDGET}.",
            "Lower maxLength (a character counts 4 bytes), or take a column out.",
        )
    for name, (length, entry) in sorted(fits.narrowed.items()):
        if name in named:
            what = f"An item of {quoted(name)}" if _is_array(named[name]) else quoted(name)
            yield named[name].member.place.warning(
                "narrowed",
                f"{what} has no maxLength: with more than {length} characters it would not fit into "
                f"{entry.title}, so the sink refuses them.",
                f'Tell the producers: "maxLength": {length} or less.',
                at_key=True,
            )


def _narrowings(source: Source, analysis: Analysis) -> Iterator[Narrowing]:
    column = source.column
    if column.name in analysis.fits.narrowed:
        length, entry = analysis.fits.narrowed[column.name]
        each = "each item: " if _is_array(source) else ""
        yield Narrowing(column.name, f"{each}at most {length} characters, so that {entry.title} holds it")
    text = limits(column.type, rounds=column.rounds)
    if text is not None and not _said(source):
        yield Narrowing(column.name, text)


def _said(source: Source) -> bool:
    """Does the property's own schema say so already?"""
    facts = source.member.facts
    match source.column.type:
        case Uuid():
            return "uuid" in facts.values("format")
        case BigInt():
            bounded = facts.value_kind == Kind.INTEGER
            return bounded and all(facts.values(keyword) for keyword in ("minimum", "maximum"))
        case Text():
            return bool(facts.values("enum") or facts.values("const"))
        case _:
            return False
