"""What a migration file is called after its number: in a few words what it does."""

from __future__ import annotations

import re

from compiler.table import Table

_LIMIT = 48


def slug(old: Table, new: Table) -> str:
    """`add_region` where one thing is added or dropped, `change` where the change is of several."""
    named = [
        *_between("", [c.name for c in old.columns], [c.name for c in new.columns]),
        *_between("_index", [i.index.name for i in old.indexes], [i.index.name for i in new.indexes]),
    ]
    text = named[0] if len(named) == 1 else "change"
    return re.sub(r"[^a-z0-9_]", "_", text.lower())[:_LIMIT]


def _between(kind: str, old: list[str], new: list[str]) -> list[str]:
    added = [f"add{kind}_{name}" for name in sorted(set(new) - set(old))]
    return added + [f"drop{kind}_{name}" for name in sorted(set(old) - set(new))]
