"""`python -m dev.emulator --state FILE [--region REGION]`: serve until ended; FILE then says where and how."""

from __future__ import annotations

import argparse
from pathlib import Path

from dev.emulator.server import serve


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.emulator", description="The embedded environment's AWS."
    )
    parser.add_argument("--state", type=Path, required=True, help="the file to write once the server listens")
    parser.add_argument("--region", default="eu-central-1", help="the region of the environment")
    arguments = parser.parse_args()
    serve(arguments.state, arguments.region)


if __name__ == "__main__":
    main()
