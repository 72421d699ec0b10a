"""`python -m bench.plan`: what `sluice plan --check` costs on 1,000 manifests, offline, and how it grows.

    no chain yet            each dataset's first migration is planned
    one column changed      each dataset has its chain, and its manifest one more column
    nothing to plan         each dataset has its chain, and its manifest is as it was

Each run is a process of its own, as a person or CI starts it; see `bench.runs`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.manifests import add_column, write_project
from bench.runs import report, sluice, workshop

SOMETHING_TO_WRITE = 1


def main() -> None:
    """Generate, plan, print, for each number of manifests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, nargs="+", default=[1000])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with workshop() as folder:
        sluice(folder / "empty", "plan", "--check")  # writes the bytecode
        for count in arguments.manifests:
            _measure(folder / f"project-{count}", count, arguments.runs)


def _measure(root: Path, count: int, runs: int) -> None:
    write_project(root, count)
    _report("no chain yet", root, count, runs, SOMETHING_TO_WRITE)
    sluice(root, "plan")
    _report("nothing to plan", root, count, runs, 0)
    add_column(root)
    _report("one column changed", root, count, runs, SOMETHING_TO_WRITE)


def _report(title: str, root: Path, count: int, runs: int, exit_code: int) -> None:
    done = [sluice(root, "plan", "--check", exit_code=exit_code) for _ in range(runs)]
    report(f"{count:,} manifests, {title}", count, done)


if __name__ == "__main__":
    main()
