"""`python -m tests.engine.held_plugin aws|postgresql`: `dev.plugin`, which makes a chosen resource and never tells of it.

    SLUICE_TEST_HOLD   a folder with the file `wanted`, a resource type a line

The first create of a wanted type is carried out, and its answer kept back: `reached` then names the type. Any other
wanted create waits before anything is made. Both end with the process, which ends with its engine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Event
from typing import Any

from dev.plugin.__main__ import serve
from dev.plugin.places import package
from dev.plugin.servicer import Servicer

FOLDER_VARIABLE = "SLUICE_TEST_HOLD"
WANTED, CLAIMED, REACHED = "wanted", "claimed", "reached"


class HeldServicer(Servicer):
    """The stand-in's servicer but for the creates that are wanted."""

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Create the resource; answer unless it is of a wanted type."""
        folder = Path(os.environ[FOLDER_VARIABLE])
        token = request.urn.split("::")[2].rpartition("$")[2]
        if token not in (folder / WANTED).read_text(encoding="utf-8").split():
            return super().Create(request, context)
        try:
            with (folder / CLAIMED).open("x", encoding="utf-8") as claim:
                claim.write(token)
        except FileExistsError:
            Event().wait()
        super().Create(request, context)
        (folder / CLAIMED).rename(folder / REACHED)
        return Event().wait()


if __name__ == "__main__":
    serve(HeldServicer(package(sys.argv[1])))
