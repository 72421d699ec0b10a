"""A planned file whose SQL was edited by hand: its chain as it will be once the edit is proven and marked.

The mark changes the file's bytes, and with them what the files after it say of it: only files that no database has seen
can be edited, and apply refuses the others.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.canonical import sha256_bytes
from compiler.migrate import files
from compiler.migrate.chain import LOCK, ChainError, lock_line, read_chain, version_folder
from compiler.migrate.model import Chain, Edit
from compiler.migrate.propose import NewFile


class EditError(ValueError):
    """There is no edit to prove as it was asked for."""


@dataclass(frozen=True)
class Rewritten:
    """The chain with the edited file marked, and the files that change on disk."""

    chain: Chain
    files: tuple[NewFile, ...]


def marked(folder: Path, dataset: str, version: int, number: int, why: str, major: int) -> Rewritten:
    """The chain with file `number` marked as proven on Postgres `major`. Reads only.

    Raises EditError where the file is not there, was not edited, or is no migration; ChainError where the rest is not whole.
    """
    if not why.strip() or '"' in why or not why.isprintable():
        raise EditError("The reason is one line of text without double quotes.")
    place = version_folder(folder, version)
    texts = dict(_texts(place, number, why, major))
    if not any(name.startswith(f"{number:04d}_") for name in texts):
        raise EditError(f"There is no migration {number:04d} of {dataset} v{version}.")
    last = max(texts)
    texts[LOCK] = lock_line(last, sha256_bytes(texts[last].encode()))
    chain = _read(place, dataset, version, texts)
    return Rewritten(chain, tuple(NewFile(place / name, text) for name, text in texts.items()))


def _texts(place: Path, number: int, why: str, major: int) -> Iterator[tuple[str, str]]:
    """The edited file and those after it, as they will be."""
    previous: str | None = None
    for path in sorted(place.glob("*.sql")):
        if not files.NAME.fullmatch(path.name) or int(path.name[:4]) < number:
            continue
        text = path.read_text(encoding="utf-8")
        try:
            migration = files.read(text, edited=previous is None)
        except files.FileError as error:
            raise EditError(f"{path} is no migration file any more: {error}.") from error
        if previous is None:
            _require_edit(path, text)
            migration = replace(migration, edited=Edit(why, major, migration.sql_sha256))
        migration = replace(migration, previous=previous or migration.previous)
        written = files.write(migration)
        previous = sha256_bytes(written.encode())
        yield path.name, written


def _require_edit(path: Path, text: str) -> None:
    try:
        files.read(text)
    except files.EditedError:
        return
    raise EditError(f"The SQL of {path} is what its header says: there is no edit to prove.")


def _read(place: Path, dataset: str, version: int, texts: dict[str, str]) -> Chain:
    with tempfile.TemporaryDirectory(prefix="sluice-edit-") as scratch:
        copy = version_folder(Path(scratch), version)
        shutil.copytree(place, copy)
        for name, text in texts.items():
            (copy / name).write_text(text, encoding="utf-8", newline="\n")
        chain = read_chain(Path(scratch), dataset, version)
    if chain is None:
        raise ChainError(())
    return chain
