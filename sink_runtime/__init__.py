"""The generic sink: one process, one dataset, one plan. `python -m sink_runtime --help` tells how to run it."""

__version__ = "0.1.0"
