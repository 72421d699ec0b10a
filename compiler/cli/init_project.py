"""What a project needs beside its datasets: the Pulumi program, and the embedded environment's stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROGRAM = ("__main__.py", "Pulumi.yaml", "Pulumi.embedded.yaml")
# In a clone the program is the clone's own; an installed package carries a copy (pyproject.toml, force-include).
_PLACES = (Path(__file__).parents[1] / "project", Path(__file__).parents[2])
# Git must not touch the line ends of what a checksum is over; the embedded environment's state holds passwords.
_GIT = {
    ".gitattributes": "datasets/*/migrations/** -text\n",
    ".gitignore": ".sluice/\n.venv/\n__pycache__/\n",
}


def lacking(root: Path) -> dict[Path, bytes]:
    """The files to write so that `sluice dev up` runs in `root`; none where it has a Pulumi program of its own."""
    return {} if any((root / name).exists() for name in PROGRAM) else dict(_files(root))


def _files(root: Path) -> Iterator[tuple[Path, bytes]]:
    source = next(place for place in _PLACES if all((place / name).is_file() for name in PROGRAM))
    for name in PROGRAM:
        yield root / name, (source / name).read_bytes()
    for name, text in _GIT.items():
        if not (root / name).exists():
            yield root / name, text.encode()
