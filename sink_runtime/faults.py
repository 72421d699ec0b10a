"""What keeps the sink waiting, as one family of exceptions: each names a dependency, in words that are safe to log."""

from __future__ import annotations


class Fault(Exception):  # noqa: N818 - the word of a person on call
    """Something outside is not as it must be; trying again later may find it mended.

    `dependency` is its short name ("postgres", "plan", "buffer", "dead_letters"), `text` never repeats a value of a
    record or a secret. `alarm`: it will not mend itself, so that a person must look.
    """

    def __init__(self, dependency: str, text: str, *, alarm: bool = False) -> None:
        super().__init__(text)
        self.dependency = dependency
        self.text = text
        self.alarm = alarm


class FatalError(Exception):
    """The sink cannot do its work and must not go on; `exit_code` tells why."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code
