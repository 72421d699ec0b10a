"""`python -m tests.golden.regenerate`: write the golden folders anew. Review the difference before you commit it."""

from __future__ import annotations

import sys

from tests.golden.build import HERE, build


def main() -> None:
    """Write what has changed and remove what is no longer made."""
    files = build()
    for path in committed():
        if path not in files:
            (HERE / path).unlink()
            sys.stdout.write(f"removed {path}\n")
    for path, text in files.items():
        target = HERE / path
        target.parent.mkdir(exist_ok=True)
        if not target.exists() or target.read_bytes() != text.encode():
            target.write_bytes(text.encode())
            sys.stdout.write(f"wrote {path}\n")


def committed() -> list[str]:
    """The golden files that are there, relative to this folder."""
    found = (path for kind in ("*.json", "*.sql") for path in HERE.rglob(kind))
    return sorted(path.relative_to(HERE).as_posix() for path in found)


if __name__ == "__main__":
    main()
