"""What the table declares itself cannot be left to others: `table.unmanaged` would hide a change of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler import names
from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.record import analyse
from compiler.suggest import quoted

# A CHECK whose name ends in an id is one that migrations make, or made until they dropped it.
_OWN_CHECK = re.compile(r"ck_.*_[0-9a-f]{12}")


def unmanaged_is_not_declared(manifest: RawManifest) -> Iterator[Finding]:
    """Each entry names something that no migration of this dataset makes."""
    entries = manifest.value["table"].get("unmanaged", [])
    for position, entry in enumerate(entries):
        kind, _, name = entry.partition(":")
        if _is_own(manifest, kind, name):
            yield Finding(
                ("table", "unmanaged", position),
                "unmanaged-declared",
                f"The {kind} {quoted(name)} is the table's own: a change of it by hand would not be seen.",
                "Remove it here; what others manage has another name.",
            )


def _is_own(manifest: RawManifest, kind: str, name: str) -> bool:
    table = names.base_table(manifest.name, manifest.value["version"])
    match kind:
        case "column":
            return name.startswith(names.RESERVED_COLUMN_PREFIX) or name in _columns(manifest)
        case "constraint":
            return name == names.key_index(table) or _OWN_CHECK.fullmatch(name) is not None
        case "index":
            return name in _indexes(manifest, table)
        case _:
            return False  # migrations make no triggers, policies and rules


def _columns(manifest: RawManifest) -> set[str]:
    return {column.name for column in analyse(manifest).columns}


def _indexes(manifest: RawManifest, table: str) -> set[str]:
    """The physical names, those that they have while they are replaced, and the manifest's own."""
    declared = {index["name"] for index in manifest.value["table"].get("indexes", [])}
    physical = {names.key_index(table), *(names.index(table, name) for name in declared)}
    passing = {made(name) for name in physical for made in (names.coming_index, names.going_index)}
    return declared | physical | passing


UNMANAGED_RULES = (unmanaged_is_not_declared,)
