"""`python -m bench.check`: what `sluice check` costs on 1,000 manifests, without and with their migration chains.

Each run is a process of its own, as a person or CI starts it; see `bench.runs`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.manifests import write_project
from bench.runs import report, sluice, workshop


def main() -> None:
    """Generate, plan, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with workshop() as folder:
        root, empty = folder / "project", folder / "empty"
        write_project(root, arguments.manifests)
        sluice(empty, "check")  # writes the bytecode
        _measure("start-up alone, no manifest", empty, arguments)
        _measure(f"{arguments.manifests:,} manifests, no chain yet", root, arguments)
        sluice(root, "plan")
        _measure(f"{arguments.manifests:,} manifests with chains", root, arguments)


def _measure(title: str, root: Path, arguments: argparse.Namespace) -> None:
    count = len(list((root / "datasets").iterdir()))
    report(title, count, [sluice(root, "check") for _ in range(arguments.runs)])


if __name__ == "__main__":
    main()
