"""Who may send and who may read."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.suggest import quoted


def principals_once(manifest: RawManifest) -> Iterator[Finding]:
    """A producer or reader named twice is one edit that met another."""
    for field in ("producers", "readers"):
        listed = manifest.value.get(field, [])
        for index, name in enumerate(listed):
            if name in listed[:index]:
                yield Finding(
                    (field, index),
                    "duplicate-item",
                    f"{quoted(name)} is listed twice in {quoted(field)}.",
                    "Remove one of them.",
                )


PRINCIPAL_RULES = (principals_once,)
