"""The documents that a record schema is made of, and where a `$ref` leads.

The manifest's `record` is one document, each file beside it another. References to other hosts are refused: a commit
alone decides what a dataset is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urljoin

from compiler.canonical import Json, canonical
from compiler.problems import Pointer
from compiler.record.dialects import (
    DIALECT_2020_12,
    DIALECT_NAMES,
    DIALECTS,
    REFUSED_DIALECTS,
    Dialect,
    Part,
    bare,
    dialect_named,
)
from compiler.record.places import Place, Refused
from compiler.suggest import did_you_mean, quoted

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


@dataclass(frozen=True, eq=False)
class Document:
    """One JSON document with schemas in it.

    `file` is its path from the manifest's folder, `shown` its path as printed; both are None for the manifest itself,
    whose record stands at `prefix`.
    """

    value: Json
    dialect: Dialect
    file: str | None = None
    shown: str | None = None
    prefix: Pointer = ()

    def place(self, pointer: Pointer) -> Place:
        """The place of what `pointer` leads to within this document."""
        return Place((*self.prefix, *pointer), self.shown)

    def at(self, pointer: Pointer) -> Json:
        """What stands at `pointer`, which must lead somewhere."""
        value = self.value
        for step in pointer:
            value = value[step]
        return value

    @cached_property
    def resources(self) -> dict[str, Pointer]:
        """Each identifier (`$id`) as an absolute URI (or as written, where it is relative to nothing), with its pointer."""
        return {self.base(pointer): pointer for pointer, _ in self._identified}

    @cached_property
    def anchors(self) -> dict[tuple[Pointer, str], Pointer]:
        """(the resource's pointer, anchor) -> pointer."""
        found = {}
        for pointer, schema in _schemas(self.value, self.dialect):
            name = schema.get("$anchor")
            if self.dialect.reference_alone:
                identity = schema.get(self.dialect.identifier)
                name = identity[1:] if isinstance(identity, str) and identity.startswith("#") else None
            if isinstance(name, str):
                found[self.resource(pointer), name] = pointer
        return found

    def resource(self, pointer: Pointer) -> Pointer:
        """The pointer of the schema resource that `pointer` is in: the nearest `$id` above it, else the document."""
        inside = [root for root, _ in self._identified if pointer[: len(root)] == root]
        return max(inside, key=len, default=())

    def base(self, pointer: Pointer) -> str:
        """The base URI at `pointer`, empty where no `$id` stands above it."""
        base = ""
        for root, identity in sorted(self._identified, key=lambda found: len(found[0])):
            if pointer[: len(root)] == root:
                base = urljoin(base, identity)
        return base.removesuffix("#")

    @cached_property
    def _identified(self) -> list[tuple[Pointer, str]]:
        word = self.dialect.identifier
        if f'"{word}"'.encode() not in canonical(self.value):  # few have one, and this is cheaper than a walk
            return []
        return [
            (pointer, schema[word])
            for pointer, schema in _schemas(self.value, self.dialect)
            if isinstance(schema.get(word), str)
            and not schema[word].startswith("#")
            and not self.dialect.ignores_siblings(schema)
        ]


def _schemas(
    value: Json, dialect: Dialect, pointer: Pointer = ()
) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    """Every schema object of a document with its pointer, definitions included."""
    if not isinstance(value, dict):
        return
    yield pointer, value
    for keyword, below in value.items():
        part = dialect.keywords.get(keyword, Part.VALUE)
        if keyword in {"definitions", "$defs"}:
            part = Part.MAP
        for step, schema in _parts(part, below):
            yield from _schemas(schema, dialect, (*pointer, keyword, *step))


def _parts(part: Part, value: Json) -> Iterator[tuple[Pointer, Json]]:
    match part, value:
        case ((Part.MAP | Part.DEPENDENCIES), dict()):
            yield from (((name,), schema) for name, schema in value.items())
        case ((Part.LIST | Part.ITEMS), list()):
            yield from (((index,), schema) for index, schema in enumerate(value))
        case ((Part.SCHEMA | Part.ITEMS), _):
            yield (), value
        case _:
            return


@dataclass(frozen=True, eq=False)
class Target:
    """Where a reference leads: a schema within a document."""

    document: Document
    pointer: Pointer
    schema: Json

    @property
    def place(self) -> Place:
        """Where the schema stands."""
        return self.document.place(self.pointer)

    @property
    def identity(self) -> tuple[str | None, Pointer]:
        """The same for two references that lead to the same schema."""
        return self.document.file, self.pointer


@dataclass(frozen=True, eq=False)
class Documents:
    """The documents read so far; files are read when a reference asks for them."""

    folder: Path
    main: Document
    files: dict[str, Document] = field(default_factory=dict)

    def resolve(self, reference: str, document: Document, pointer: Pointer) -> Target:
        """The schema that the `$ref` at `pointer` leads to. Raises Refused."""
        place = document.place((*pointer, "$ref"))
        address, _, fragment = reference.partition("#")
        fragment = unquote(fragment)
        if address:
            document, root = self._address(unquote(address), document, pointer, place)
        else:
            root = document.resource(pointer)
        return _within(document, root, fragment, reference, place)

    def _address(
        self, address: str, document: Document, pointer: Pointer, place: Place
    ) -> tuple[Document, Pointer]:
        absolute = urljoin(document.base(pointer), address)
        for known in (document, self.main, *self.files.values()):
            if absolute in known.resources:
                return known, known.resources[absolute]
        if _SCHEME.match(address):
            raise Refused(
                place.error(
                    "record-remote-ref",
                    f"The reference {quoted(address)} leads out of this repository.",
                    "Copy the schema into a file beside the manifest and refer to that.",
                )
            )
        return self._file(address, document, place), ()

    def _file(self, address: str, document: Document, place: Place) -> Document:
        name = normpath(str(PurePosixPath(document.file or "dataset.json").parent / address))
        path = self.folder / name
        if address.startswith("/") or name.startswith("..") or not _inside(path, self.folder):
            raise Refused(
                place.error(
                    "record-ref-outside",
                    f"The reference {quoted(address)} leads out of the manifest's folder.",
                    "Move the file beside the manifest.",
                )
            )
        if name not in self.files:
            self.files[name] = self._read(path, name, document, place)
        return self.files[name]

    def _read(self, path: Path, name: str, document: Document, place: Place) -> Document:
        from compiler.manifest.source import read

        if not path.is_file():
            near = did_you_mean(name, (found.name for found in self.folder.glob("*.json")))
            raise Refused(
                place.error(
                    "record-ref-missing",
                    f"There is no file {quoted(name)} beside the manifest.",
                    near or "Add it, or correct the reference.",
                )
            )
        shown = str(path)
        parsed = read(path, shown)
        if parsed.problems:
            first = parsed.problems[0]
            line = f"Line {first.line}: " if first.line else ""
            raise Refused(Place((), shown).error(first.rule, f"{line}{first.message}", first.fix))
        value = parsed.source.value
        return Document(value, declared_dialect(value, Place((), shown), document.dialect), name, shown)


def declared_dialect(value: Json, place: Place, inherited: Dialect) -> Dialect:
    """The dialect that a document declares, else the one of the document that refers to it. Raises Refused."""
    uri = value.get("$schema") if isinstance(value, dict) else None
    if uri is None:
        return inherited
    place = place.below("$schema")
    fix = f"Declare {quoted(DIALECT_2020_12.uri)}, or an older draft from 4 on."
    if not isinstance(uri, str):
        raise Refused(place.error("record-dialect", '"$schema" is not a string.', fix))
    dialect = dialect_named(uri)
    if dialect is None:
        reason = REFUSED_DIALECTS.get(bare(uri))
        near = None if reason else did_you_mean(uri, (known.uri for known in DIALECTS))
        message = f"The record schema declares {quoted(uri)}: {reason or f'{DIALECT_NAMES} are read'}."
        raise Refused(place.error("record-dialect", message, near or fix))
    return dialect


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _within(document: Document, root: Pointer, fragment: str, reference: str, place: Place) -> Target:
    if not fragment or fragment.startswith("/"):
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in fragment.split("/")[1:])
        pointer, schema = _follow(document, root, steps, reference, place)
    elif (root, fragment) in document.anchors:
        pointer = document.anchors[root, fragment]
        _, schema = _follow(document, (), tuple(map(str, pointer)), reference, place)
    else:
        known = [name for at, name in document.anchors if at == root]
        raise _missing(reference, place, did_you_mean(fragment, known))
    if not isinstance(schema, dict | bool):
        raise Refused(
            place.error(
                "record-ref-missing",
                f"The reference {quoted(reference)} leads to no schema.",
                "Refer to an object, true or false.",
            )
        )
    return Target(document, pointer, schema)


def _follow(
    document: Document, root: Pointer, steps: tuple[str, ...], reference: str, place: Place
) -> tuple[Pointer, Json]:
    value = document.value
    pointer: Pointer = ()
    for step in (*root, *steps):
        match value:
            case dict() if step in value:
                value, pointer = value[step], (*pointer, step)
            case list() if str(step).isdecimal() and int(step) < len(value):
                value, pointer = value[int(step)], (*pointer, int(step))
            case dict():
                near = did_you_mean(str(step), value)
                raise _missing(reference, place, near)
            case _:
                raise _missing(reference, place, None)
    return pointer, value


def _missing(reference: str, place: Place, near: str | None) -> Refused:
    message = f"The reference {quoted(reference)} leads nowhere."
    return Refused(
        place.error("record-ref-missing", message, near or "Add the definition, or correct the reference.")
    )
