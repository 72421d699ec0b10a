"""One self-contained 2020-12 schema out of the record, its definitions and the files beside the manifest.

Only what the record refers to is taken along, under `$defs`, named after where it stood. Older drafts become 2020-12 on
the way (older.py): keywords beside `$ref` are left out where the draft ignores them, and so are keywords that only later
drafts know.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from compiler.canonical import Json, canonical
from compiler.problems import Finding, Pointer
from compiler.record.dialects import (
    ANNOTATIONS,
    DIALECT_2019_09,
    DIALECT_2020_12,
    Part,
)
from compiler.record.documents import Document, Documents, Target, declared_dialect
from compiler.record.keywords import REFUSED_KEYWORDS, ignored_keyword, is_later, unknown_keyword
from compiler.record.older import misplaced_anchor, recursive_findings, translate, unevaluated_findings
from compiler.record.places import Place, Refused
from compiler.record.validity import schema_faults
from compiler.suggest import quoted

RECORD_DEFINITION = "record"
_RESERVED = "sluice_"  # the domain's definitions
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_ASSERTED = frozenset(("pattern", "format"))
_AFTERWARDS = frozenset((Part.DROPPED, Part.DEPENDENCIES, Part.RECURSIVE))
_IDENTITY = tuple[str | None, Pointer]


@dataclass(frozen=True, eq=False)
class Bundle:
    """The bundled record schema.

    `schema` is the record without its definitions, `definitions` what it refers to by `#/$defs/<name>`. `places` leads
    from a schema object (by identity) to where it was written. `assertions` are the patterns and formats: (keyword, text,
    place).
    """

    schema: dict[str, Json]
    definitions: dict[str, Json]
    places: dict[int, tuple[Document, Pointer]]
    assertions: tuple[tuple[str, str, Place], ...]
    findings: tuple[Finding, ...]

    @property
    def document(self) -> dict[str, Json]:
        """The whole, as one schema."""
        return {**self.schema, "$defs": self.definitions} if self.definitions else self.schema

    def place(self, schema: Json) -> Place:
        """Where `schema` was written; the record itself where that is unknown (booleans)."""
        written = self.places.get(id(schema))
        return written[0].place(written[1]) if written else Place(("record",))

    def place_of_reference(self, schema: dict[str, Json]) -> Place:
        """Where the reference of `schema` was written, which may be 2019-09's `$recursiveRef`."""
        document, pointer = self.places[id(schema)]
        keyword = next(word for word in ("$ref", "$recursiveRef") if word in document.at(pointer))
        return document.place((*pointer, keyword))

    def follow(self, schema: dict[str, Json]) -> Json:
        """What the schema's `$ref` leads to."""
        return self.definitions[schema["$ref"].removeprefix("#/$defs/")]


@dataclass(eq=False)
class _Walk:
    documents: Documents
    places: dict[int, tuple[Document, Pointer]] = field(default_factory=dict)
    assertions: list[tuple[str, str, Place]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    references: list[tuple[dict[str, Json], _IDENTITY]] = field(default_factory=list)
    targets: dict[_IDENTITY, Target] = field(default_factory=dict)
    bundled: dict[_IDENTITY, Json] = field(default_factory=dict)
    recursive: list[tuple[Document, Pointer]] = field(default_factory=list)
    unevaluated: list[Place] = field(default_factory=list)
    contains: bool = False

    def schema(self, document: Document, pointer: Pointer, schema: Json) -> Json:
        """The schema in 2020-12, its references recorded."""
        if not isinstance(schema, dict):
            return schema
        found: dict[str, Json] = {}
        self.places[id(found)] = document, pointer
        dialect = document.dialect
        alone = dialect.ignores_siblings(schema)
        for keyword, value in schema.items():
            part = dialect.keywords.get(keyword)
            if part is None:
                self.unknown(document, document.place(pointer), keyword, found, value)
            elif alone and keyword != "$ref":
                self.ignored(document, pointer, keyword)
            elif part is Part.VALUE:
                found[keyword] = value
                if keyword in _ASSERTED:
                    self.assertions.append((keyword, value, document.place((*pointer, keyword))))
            elif part not in _AFTERWARDS:
                self.keyword(document, pointer, found, keyword, part, value)
            elif keyword == "$schema" and pointer:
                self.nested_dialect(document, document.place(pointer), value)
        if "dependencies" in schema and not alone:
            self.dependencies(document, (*pointer, "dependencies"), found, schema["dependencies"])
        if dialect is DIALECT_2019_09:
            self.of_2019_09(document, pointer, found, schema)
        self.contains = self.contains or "contains" in found
        translate(found, schema, dialect)
        return found

    def keyword(
        self,
        document: Document,
        pointer: Pointer,
        found: dict[str, Json],
        keyword: str,
        part: Part,
        value: Json,
    ) -> None:
        at = (*pointer, keyword)
        match part, value:
            case Part.REFERENCE, _:
                self.reference(document, pointer, found, value)
            case ((Part.LIST | Part.ITEMS), list()):
                found[keyword] = [self.schema(document, (*at, i), below) for i, below in enumerate(value)]
            case Part.MAP, _:
                if keyword == "patternProperties":
                    self.assertions += [("pattern", name, document.place((*at, name))) for name in value]
                found[keyword] = {
                    name: self.schema(document, (*at, name), below) for name, below in value.items()
                }
            case _:
                found[keyword] = self.schema(document, at, value)

    def reference(self, document: Document, pointer: Pointer, found: dict[str, Json], value: str) -> None:
        try:
            target = self.documents.resolve(value, document, pointer)
        except Refused as refused:
            self.findings.append(refused.finding)
            return
        found["$ref"] = value
        self.references.append((found, target.identity))
        if target.identity not in self.targets:
            self.targets[target.identity] = target
            faults = schema_faults(target.schema, target.place, target.document.dialect)
            self.findings.extend(faults)
            self.bundled[target.identity] = True
            if not faults:
                self.bundled[target.identity] = self.schema(target.document, target.pointer, target.schema)

    def of_2019_09(
        self, document: Document, pointer: Pointer, found: dict[str, Json], schema: dict[str, Json]
    ) -> None:
        """What 2019-09 alone has, or means otherwise."""
        if "unevaluatedItems" in schema:
            self.unevaluated.append(document.place((*pointer, "unevaluatedItems")))
        if misplaced := misplaced_anchor(document, pointer, schema):
            self.findings.append(misplaced)
        if "$recursiveRef" not in schema:
            return
        self.recursive.append((document, pointer))
        holder = found
        if "$ref" in found:
            holder = {}
            self.places[id(holder)] = document, pointer
            found["allOf"] = [*found.get("allOf", ()), holder]
        self.reference(document, pointer, holder, "#")

    def dependencies(
        self, document: Document, at: Pointer, found: dict[str, Json], value: dict[str, Json]
    ) -> None:
        """Split into its two later keywords, which may be there already."""
        required = dict(found.get("dependentRequired", {}))
        schemas = dict(found.get("dependentSchemas", {}))
        for name, below in value.items():
            if isinstance(below, list):
                required[name] = [
                    *required.get(name, ()),
                    *(one for one in below if one not in required.get(name, ())),
                ]
            else:
                own = self.schema(document, (*at, name), below)
                schemas[name] = {"allOf": [schemas[name], own]} if name in schemas else own
        found.update({"dependentRequired": required} if required else {})
        found.update({"dependentSchemas": schemas} if schemas else {})

    def unknown(
        self, document: Document, place: Place, keyword: str, found: dict[str, Json], value: Json
    ) -> None:
        dialect = document.dialect
        if keyword not in REFUSED_KEYWORDS and not is_later(keyword, dialect):
            found[keyword] = value
            if keyword.startswith("x-"):
                return
        self.findings.append(unknown_keyword(place, keyword, dialect))

    def ignored(self, document: Document, pointer: Pointer, keyword: str) -> None:
        if finding := ignored_keyword(document.place(pointer), keyword, document.dialect):
            self.findings.append(finding)

    def nested_dialect(self, document: Document, place: Place, value: Json) -> None:
        try:
            same = declared_dialect({"$schema": value}, place, document.dialect) is document.dialect
        except Refused:
            same = False
        if not same:
            message = f"A part of the record schema declares another draft, {quoted(str(value))}."
            fix = "Move the part into its own file beside the manifest, or write it in the same draft."
            self.findings.append(place.below("$schema").error("record-dialect", message, fix))


def bundle(documents: Documents) -> Bundle:
    """Bundle the manifest's record. References that lead nowhere are findings, and are left out."""
    walk = _Walk(documents)
    main = documents.main
    schema = walk.schema(main, (), main.value)
    walk.findings += recursive_findings(walk.recursive, (main, *documents.files.values()))
    if walk.contains:
        walk.findings += unevaluated_findings(walk.unevaluated)
    root = (main.file, ())
    names = _names(walk.targets, root)
    for holder, identity in walk.references:
        holder["$ref"] = f"#/$defs/{names[identity]}"
    definitions = {names[identity]: walk.bundled[identity] for identity in walk.targets}
    if root in walk.targets:
        schema = {"$ref": f"#/$defs/{RECORD_DEFINITION}"}
        walk.places[id(schema)] = main, ()
    return Bundle(schema, definitions, walk.places, tuple(walk.assertions), tuple(walk.findings))


def without_annotations(schema: Json) -> Json:
    """A bundled schema without the keywords that carry no meaning for admission. A property may bear their names."""
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: _below(keyword, value) if isinstance(value, dict | list) else value
        for keyword, value in schema.items()
        if keyword not in ANNOTATIONS
    }


def _below(keyword: str, value: Json) -> Json:
    part = Part.MAP if keyword == "$defs" else DIALECT_2020_12.keywords.get(keyword, Part.VALUE)
    match part, value:
        case Part.MAP, dict():
            return {name: without_annotations(below) for name, below in value.items()}
        case Part.LIST, list():
            return [without_annotations(below) for below in value]
        case Part.SCHEMA, _:
            return without_annotations(value)
        case _:
            return value


def _names(targets: Iterable[_IDENTITY], root: _IDENTITY) -> dict[_IDENTITY, str]:
    """Each target's name under `$defs`: as in the source; a hash of the place where two would share one."""
    wanted: dict[str, list[_IDENTITY]] = {}
    for identity in targets:
        wanted.setdefault(_wanted_name(identity, root), []).append(identity)
    names = {}
    for name, identities in wanted.items():
        for identity in identities:
            alone = len(identities) == 1 or identity == root
            names[identity] = name if alone else f"{name}_{_place_hash(identity)}"
    return names


def _wanted_name(identity: _IDENTITY, root: _IDENTITY) -> str:
    file, pointer = identity
    if identity == root:
        return RECORD_DEFINITION
    word = (
        str(pointer[-1])
        if pointer
        else (file or "").rpartition("/")[2].removesuffix(".json").removesuffix(".schema")
    )
    name = _UNSAFE.sub("_", word) or "definition"
    return f"own_{name}" if name.startswith(_RESERVED) else name


def _place_hash(identity: _IDENTITY) -> str:
    file, pointer = identity
    return hashlib.sha256(canonical([file or "", *pointer])).hexdigest()[:8]
