"""Why a migration cannot be applied: what was found, and the way out. No text holds a connection string."""

from __future__ import annotations


def ways_out(dataset: str) -> str:
    """What can be done about objects that were changed by hand."""
    return (
        "Put these objects back as they were; or let git follow the database: "
        f"`sluice migrate adopt {dataset}`, from the commit whose migrations are all applied; or leave them to whoever made them: `table.unmanaged`."
    )


class MigrateError(Exception):
    """Something stands in the way; `message` says what was found, `fix` what to do."""

    def __init__(self, message: str, fix: str) -> None:
        self.message = message
        self.fix = fix
        super().__init__(f"{message}{'' if message.endswith(chr(10)) else ' '}{fix}")


class ConnectError(MigrateError):
    """There is no usable session: address, login, server version, encoding, a pooler in between, or its rights."""


class ControlError(MigrateError):
    """The control schema is missing, edited, or made by another release."""


class RoleError(MigrateError):
    """A role that the Pulumi program makes is not there."""


class JournalError(MigrateError):
    """The journal and the chain's files tell different stories: another file was applied, or git went back."""


class StepError(MigrateError):
    """A step failed, or left another table than it declares; its transaction was rolled back."""


class ApprovalError(MigrateError):
    """A step has a hazard that nobody has approved; nothing was changed."""


class HeldBackError(MigrateError):
    """A contract migration waits for sinks that need what it removes; what came before it is kept."""


class StoppedError(MigrateError):
    """Somebody asked to stop; what was finished is kept."""


class TooLongError(MigrateError):
    """A step would work for longer than a deployment may take; nothing was changed."""


class LockError(MigrateError):
    """Other sessions held the table for as long as it was tried."""


class DriftError(MigrateError):
    """The live table is not the one that the journal expects; nothing was changed. `objects` names what differs."""

    def __init__(self, relation: str, objects: tuple[str, ...], dataset: str) -> None:
        self.relation = relation
        self.objects = objects
        listed = "".join(f"\n  {one}" for one in objects)
        super().__init__(
            f"{relation} was changed outside of its migrations:{listed}\n",
            f"Nothing was changed. {ways_out(dataset)}",
        )
