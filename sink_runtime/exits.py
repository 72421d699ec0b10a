"""The sink's exit codes, each with its meaning."""

from __future__ import annotations

from collections.abc import Mapping

STOPPED = 0
DEFECT = 1
SETTINGS = 2
PLAN = 3
DENIED = 4
CHECK = 5

# What a sink says when it ends by DENIED.
DENIED_TEXT = (
    "deleting messages is denied, and going on would write the same messages for ever: give the sink's role "
    "sqs:DeleteMessage on the buffer, and look for a policy that denies it"
)

MEANINGS: Mapping[int, str] = {
    STOPPED: "asked to stop (SIGTERM, SIGINT), and the batch in hand was finished or given back; --check: all is well",
    DEFECT: "an error of the sink itself; stderr has the traceback",
    SETTINGS: "settings missing or wrong, or the HTTP port is taken: all of it is named on stderr",
    PLAN: "the plan cannot be read, is of another format, or is not the one its name says",
    DENIED: "deleting messages is denied: going on would write the same messages for ever",
    CHECK: "--check only: something else is not as it must be; a sink would wait for it",
}
