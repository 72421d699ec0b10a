"""The real Pulumi engine: `python -m tools.pulumi.engine` prints its path, and builds it first where it must.

In this order: the program that SLUICE_PULUMI names, whatever its version; a `pulumi` on the PATH of the version in
go.mod; one built from Pulumi's own Go modules (`build.py`). `python -m tools.pulumi.engine postgresql` does the same for
the real pulumi-postgresql provider, which is always built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version as installed
from pathlib import Path

from tools.pulumi.build import BuildError, GoProgram, built, say

HERE = Path(__file__).parent
LAUNCHERS = HERE / "bin"
NAMED = "SLUICE_PULUMI"


def engine_version() -> str:
    """The engine's version, with its `v`: go.mod is where it is chosen."""
    found = re.search(r"pulumi/pkg/v3 (v\S+)", (HERE / "go.mod").read_text(encoding="utf-8"))
    assert found, "go.mod requires no engine"
    return found[1]


def engine() -> Path:
    """The engine's program; built unless there is one, which takes minutes. Raises BuildError, RefusedError."""
    version = engine_version()
    if named := os.environ.get(NAMED):
        return Path(named)
    return found_on_path(version) or built(
        GoProgram(
            "pulumi",
            HERE,
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            version,
            "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
            tags="osusergo,grpcnotrace",
        )
    )


def found_on_path(version: str) -> Path | None:
    """An ordinary `pulumi` of just this version."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    told = subprocess.run([found, "version"], env=environment, capture_output=True, text=True, check=False)
    return Path(found) if told.stdout.strip() == version else None


def postgresql_provider() -> Path:
    """The real pulumi-postgresql provider, in a folder of its own. Raises BuildError, RefusedError."""
    folder, version = HERE.parent / "pgprovider", installed("pulumi-postgresql")
    return built(GoProgram("pulumi-resource-postgresql", folder, ".", version, "main.version"))


def main() -> None:
    """Print the path of what is asked for; exit 1 where it cannot be had."""
    wanted = sys.argv[1:]
    if wanted not in ([], ["postgresql"]):
        sys.exit("usage: python -m tools.pulumi.engine [postgresql]")
    try:
        print(postgresql_provider() if wanted else engine())
    except BuildError as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
