"""What several manifests of one project must not share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from compiler import names
from compiler.lower import dataset_uuid
from compiler.manifest import RawManifest
from compiler.problems import Finding, Pointer
from compiler.suggest import quoted

_GENERATION = re.compile(r"(?P<dataset>.+)_v[0-9]+")

Found = Iterator[tuple[RawManifest, Finding]]
Relation = tuple[str, str]  # schema and name: tables, views and indexes share one namespace in Postgres


def names_once(manifests: tuple[RawManifest, ...]) -> Found:
    """A dataset is known by its name everywhere."""
    seen: dict[str, RawManifest] = {}
    for manifest in manifests:
        first = seen.setdefault(manifest.name, manifest)
        if first is not manifest:
            yield (
                manifest,
                Finding(
                    ("name",),
                    "duplicate-name",
                    f"The dataset {quoted(manifest.name)} is already declared in the folder {quoted(first.folder.name)}.",
                    "Give one of them another name.",
                ),
            )


def uuids_once(manifests: tuple[RawManifest, ...]) -> Found:
    """A copied manifest must not keep the other's identity. Derived ones are apart, as the names are."""
    if not any("uuid" in manifest.value for manifest in manifests):
        return
    seen: dict[UUID, RawManifest] = {}
    for manifest in sorted(manifests, key=lambda one: "uuid" in one.value):
        first = seen.setdefault(dataset_uuid(manifest.value), manifest)
        if first.name != manifest.name:
            yield (
                manifest,
                Finding(
                    ("uuid",),
                    "duplicate-uuid",
                    f"The dataset {quoted(first.name)} has this uuid already.",
                    'Remove "uuid"; it is then derived from the name.',
                ),
            )


def generations_apart(manifests: tuple[RawManifest, ...]) -> Found:
    """`x_v2` is a table of the dataset `x`, now or in a later version, so no other dataset may be called so."""
    by_name = {manifest.name: manifest for manifest in manifests}
    for manifest in manifests:
        match = _GENERATION.fullmatch(manifest.name)
        other = by_name.get(match["dataset"]) if match else None
        if other and _schema(other) == _schema(manifest):
            yield (
                manifest,
                Finding(
                    ("name",),
                    "name-collision",
                    f"The name {quoted(manifest.name)} is kept for a generation's table of the dataset {quoted(other.name)}.",
                    "Choose another name, or another schema.",
                ),
            )


def relations_once(manifests: tuple[RawManifest, ...]) -> Found:
    """No two tables, views or indexes of one schema may have one name, shortened names included."""
    seen: dict[Relation, tuple[RawManifest, str]] = {}
    for manifest in manifests:
        for relation, (what, pointer) in _relations(manifest).items():
            first, taken = seen.setdefault(relation, (manifest, what))
            if first is manifest or first.name == manifest.name or _is_generation(first, manifest):
                continue
            yield (
                manifest,
                Finding(
                    pointer,
                    "name-collision",
                    f"The {what} would be called {quoted(relation[1])}, which is the {taken} of the dataset"
                    f" {quoted(first.name)}.",
                    "Choose another name.",
                ),
            )


def _relations(manifest: RawManifest) -> dict[Relation, tuple[str, Pointer]]:
    schema, version = _schema(manifest), manifest.value["version"]
    table = names.base_table(manifest.name, version)
    indexes = manifest.value["table"].get("indexes", [])
    found: dict[str, tuple[str, Pointer]] = {
        manifest.name: ("view", ("name",)),
        table: ("table", ("name",)),
        names.key_index(table): ("key's index", ("name",)),
    }
    for position, index in enumerate(indexes):
        name = names.index(table, index["name"])
        found.setdefault(name, ("index", ("table", "indexes", position, "name")))
    return {(schema, name): what for name, what in found.items()}


def _is_generation(one: RawManifest, other: RawManifest) -> bool:
    """`generations_apart` has said it already."""
    pair = sorted((one.name, other.name), key=len)
    return re.fullmatch(re.escape(pair[0]) + r"_v[0-9]+", pair[1]) is not None


def _schema(manifest: RawManifest) -> str:
    return str(manifest.value["table"].get("schema", names.DATASETS_SCHEMA))


CROSS_RULES = (names_once, uuids_once, generations_apart, relations_once)
