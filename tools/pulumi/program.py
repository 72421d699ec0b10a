"""Runs one Pulumi program under an engine. `language_host.py` starts it and writes the job to its stdin.

Ends with 0, or with 32 once it has told the engine what is wrong; any other code is a crash.
"""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
import sys
import traceback
from typing import Any

import pulumi
import pulumi.runtime
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_in_stack

SAID_ITSELF = 32


def run(job: dict[str, Any]) -> bool:
    """Run the program; false where it failed, and then the engine knows why."""
    set_all_config(job["configuration"], job["secret_keys"])
    pulumi.runtime.configure(pulumi.runtime.Settings(**job["settings"]))
    # A failed program leaves parts of its graph unawaited, which asyncio would tell at length.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    sys.argv = [job["program"], *job["arguments"]]

    def program() -> None:
        runpy.run_path(job["program"], run_name="__main__")

    try:
        loop.run_until_complete(run_in_stack(program))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception:  # noqa: BLE001 - a program may raise anything; the user sees it
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
    else:
        return True
    return False


def main() -> None:
    """Take the job from stdin, to its end."""
    job = json.load(sys.stdin)
    sys.exit(0 if run(job) else SAID_ITSELF)


if __name__ == "__main__":
    main()
