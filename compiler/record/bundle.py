"""One self-contained 2020-12 schema out of the record, its definitions and the files beside the manifest.

Only what the record refers to is taken along, under `$defs`, named after where it stood. Draft 7 becomes 2020-12 on the
way: tuple `items`, `additionalItems` and `dependencies` get their later names, keywords beside `$ref` are left out as
draft 7 ignores them, and keywords that only later drafts know are left out likewise.
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
    DIALECT_2020_12,
    REFUSED_KEYWORDS,
    Dialect,
    Part,
)
from compiler.record.documents import Document, Documents, Target, declared_dialect
from compiler.record.places import Place, Refused
from compiler.record.validity import schema_faults
from compiler.suggest import did_you_mean, quoted

RECORD_DEFINITION = "record"
_RESERVED = "sluice_"  # the domain's definitions
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_ASSERTED = frozenset(("pattern", "format"))
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

    def schema(self, document: Document, pointer: Pointer, schema: Json) -> Json:
        """The schema in 2020-12, its references recorded."""
        if not isinstance(schema, dict):
            return schema
        found: dict[str, Json] = {}
        self.places[id(found)] = document, pointer
        dialect = document.dialect
        alone = dialect is not DIALECT_2020_12 and "$ref" in schema
        for keyword, value in schema.items():
            part = dialect.keywords.get(keyword)
            if part is None:
                self.unknown(document, document.place(pointer), keyword, found, value)
            elif alone and keyword != "$ref":
                self.ignored(document.place(pointer), keyword, part)
            elif part is Part.VALUE:
                found[keyword] = value
                if keyword in _ASSERTED:
                    self.assertions.append((keyword, value, document.place((*pointer, keyword))))
            elif part is not Part.DROPPED and part is not Part.DEPENDENCIES:
                self.keyword(document, pointer, found, keyword, part, value)
            elif keyword == "$schema" and pointer:
                self.nested_dialect(document, document.place(pointer), value)
        if "dependencies" in schema and not alone:
            self.dependencies(document, (*pointer, "dependencies"), found, schema["dependencies"])
        if dialect is not DIALECT_2020_12:
            _translate(found, schema)
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
        if keyword in REFUSED_KEYWORDS:
            reason, fix = REFUSED_KEYWORDS[keyword]
            message = f"{quoted(keyword)} is not supported: {reason}."
            self.findings.append(place.below(keyword).error("record-keyword", message, fix, at_key=True))
        elif dialect is not DIALECT_2020_12 and keyword in DIALECT_2020_12.keywords:
            message = f"{quoted(keyword)} is no keyword of {dialect.name}, and has no effect."
            fix = f'Declare "$schema": {quoted(DIALECT_2020_12.uri)} to use it.'
            self.findings.append(place.below(keyword).warning("record-keyword", message, fix, at_key=True))
        else:
            found[keyword] = value
            if not keyword.startswith("x-"):
                self.findings.append(_stray_keyword(place.below(keyword), keyword, dialect))

    def ignored(self, place: Place, keyword: str, part: Part) -> None:
        if keyword not in ANNOTATIONS and part is not Part.DROPPED:
            message = f"Draft 7 ignores {quoted(keyword)} beside $ref."
            fix = f'Put both into "allOf", or declare "$schema": {quoted(DIALECT_2020_12.uri)}.'
            self.findings.append(place.below(keyword).warning("record-keyword", message, fix, at_key=True))

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
    root = (main.file, ())
    names = _names(walk.targets, root)
    for holder, identity in walk.references:
        holder["$ref"] = f"#/$defs/{names[identity]}"
    definitions = {names[identity]: walk.bundled[identity] for identity in walk.targets}
    if root in walk.targets:
        schema = {"$ref": f"#/$defs/{RECORD_DEFINITION}"}
        walk.places[id(schema)] = main, ()
    return Bundle(schema, definitions, walk.places, tuple(walk.assertions), tuple(walk.findings))


def _stray_keyword(place: Place, keyword: str, dialect: Dialect) -> Finding:
    """JSON Schema takes any keyword and ignores those that it does not know; one that is misspelt is an error."""
    message = f"{quoted(keyword)} is no keyword of JSON Schema {dialect.name}, and has no effect."
    if near := did_you_mean(keyword, dialect.keywords):
        return place.error("record-keyword", message, near, at_key=True)
    return place.warning("record-keyword", message, 'Remove it, or begin its name with "x-".', at_key=True)


def without_annotations(schema: Json) -> Json:
    """A bundled schema without the keywords that carry no meaning for admission. A property may bear their names."""
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: _below(keyword, value) for keyword, value in schema.items() if keyword not in ANNOTATIONS
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


def _translate(found: dict[str, Json], source: dict[str, Json]) -> None:
    """Tuples: draft 7's list of `items` is `prefixItems`, and its `additionalItems` is `items`."""
    if isinstance(source.get("items"), list) and "items" in found:
        found["prefixItems"] = found.pop("items")
        if "additionalItems" in found:
            found["items"] = found.pop("additionalItems")
    else:
        found.pop("additionalItems", None)  # without a tuple it means nothing


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
