"""What the engine and the plugins that it starts need of their environment, and nothing of the caller's own Pulumi."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools.pulumi.engine import LAUNCHERS

PASSPHRASE = "of a test"
KEPT = ("HOME", "LANG", "LC_ALL", "PYTHONUTF8", "TMPDIR", "TZ")


def engine_environment(engine: Path, folder: Path) -> dict[str, str]:
    """The environment for one backend: state, plugins and settings in `folder`; launchers first on the PATH."""
    home, state = folder / "pulumi-home", folder / "state"
    for one in (home, state):
        one.mkdir(parents=True, exist_ok=True)
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "PATH": os.pathsep.join((str(LAUNCHERS), str(engine.parent), os.environ.get("PATH", os.defpath))),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",  # what is missing is an error, not a download
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1",
    }
