"""The manifest's front end: `dataset.json` -> value with places -> RawManifest, or problems.

source.py   bytes -> value; places of keys and values only where something is wrong (scan.py)
shape.py    is it shaped as the manifest's JSON Schema says? explain.py puts what is not into plain words
"""

from __future__ import annotations

from compiler.manifest.shape import Loaded, RawManifest, load
from compiler.manifest.source import Source, read

__all__ = ["Loaded", "RawManifest", "Source", "load", "read"]
