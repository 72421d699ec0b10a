"""What a migration file is called after its number: in a few words what it does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compiler.migrate.model import Phase
from compiler.table import Table

_LIMIT = 48


def slug(old: Table, new: Table, phase: Phase, renames: Mapping[str, str]) -> str:
    """`add_region`, `drop_region` where one thing comes or goes; `change` or `tighten` where it is something else."""
    before = {renamed: source for source, renamed in renames.items()}
    columns = [before.get(c.name, c.name) for c in old.columns], [c.name for c in new.columns]
    indexes = [i.index.name for i in old.indexes], [i.index.name for i in new.indexes]
    if phase is Phase.EXPAND:
        named = [
            *(f"rename_{source}" for source in sorted(renames.values())),
            *_between("add", *columns),
            *_between("add_index", *indexes),
            *_between("drop_index", *reversed(indexes)),
        ]
    else:
        named = _between("drop", *reversed(columns))
    text = named[0] if len(named) == 1 else "change" if phase is Phase.EXPAND else "tighten"
    return re.sub(r"[^a-z0-9_]", "_", text.lower())[:_LIMIT]


def _between(verb: str, fewer: list[str], more: list[str]) -> list[str]:
    return [f"{verb}_{name}" for name in sorted(set(more) - set(fewer))]
