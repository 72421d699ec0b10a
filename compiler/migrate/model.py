"""What a migration is made of: steps, files, chains. Frozen values; no SQL is rendered and no driver imported here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from compiler.canonical import sha256_bytes
from compiler.table import ABSENT_FINGERPRINT, Table

PLANNER = 1
POSTGRES_MINIMUM = 15
NO_PREVIOUS = "none"
# How long a step may queue for a lock at a time: everyone behind it waits as long.
LOCK_SECONDS = 3
# How long a step that is to be instant may take, its wait for the lock included: one that is not holds everyone up.
INSTANT_SECONDS = 20


class Phase(StrEnum):
    """When a file runs: `EXPAND` before the new sink, `CONTRACT` after its rollout."""

    EXPAND = "expand"
    CONTRACT = "contract"


class Lock(StrEnum):
    """The strongest lock that a step takes on a relation of the dataset which others could already use, but for reads."""

    NONE = "none"
    SHARE = "SHARE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"


class Effort(StrEnum):
    """How long a step works, as a function of the table's size."""

    INSTANT = "instant"
    SCAN = "scan"
    REWRITE = "rewrite"


class Mode(StrEnum):
    """The transaction that a step runs in."""

    SHARED = "in a transaction with its neighbours"
    OWN = "in its own transaction"
    NONE = "without a transaction"


class Hazard(StrEnum):
    """What a step may do to a running system that a reviewer must have agreed to."""

    NONE = "none"
    DATA_LOSS = "data loss"
    TABLE_REWRITE = "table rewrite"
    LONG_SCAN = "long scan"
    BLOCKED_WRITES = "blocked writes"
    BLOCKED_READS = "blocked reads"

    @property
    def word(self) -> str:
        """The hazard as one word, as approvals name it: `data-loss`."""
        return self.replace(" ", "-")


@dataclass(frozen=True)
class Step:
    """One reviewed unit of a migration: its statements, and what they do to a running system.

    `sql` is stripped text of one or more statements, each ended by a semicolon; of one statement where `mode` is NONE.
    `after` is the table's fingerprint once the step has run. `lock_timeout` is the longest wait for one lock in seconds,
    0 without limit; `statement_timeout` likewise for each statement. `partial` are the fingerprints that an interrupted
    step without a transaction may leave, and `recovery` the one statement that leads back from them, or empty where the
    step itself may simply run again. `violations` is a query of the rows that the step could not hold; empty where there
    can be none.
    """

    title: str
    sql: str
    lock: Lock
    effort: Effort
    after: str
    mode: Mode = Mode.SHARED
    hazard: Hazard = Hazard.NONE
    lock_timeout: int = LOCK_SECONDS
    statement_timeout: int = 0
    partial: tuple[str, ...] = ()
    recovery: str = ""
    violations: str = ""
    phase: Phase = Phase.EXPAND

    @property
    def rewrite(self) -> bool:
        """Whether the step writes the whole table anew."""
        return self.effort is Effort.REWRITE

    @property
    def scan(self) -> bool:
        """Whether the step reads the whole table; a rewrite does too."""
        return self.effort is not Effort.INSTANT

    @property
    def sql_sha256(self) -> str:
        """The hash of the step's stripped SQL."""
        return sha256_bytes(self.sql.strip().encode())

    @property
    def sql12(self) -> str:
        """The first 12 hex digits of that hash, by which an approval names the SQL."""
        return self.sql_sha256.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class Approval:
    """A reviewer's word that a step's hazard is known and accepted, bound to the step's SQL by `sql12`, its hash's start."""

    step: int
    hazard: Hazard
    sql12: str
    why: str

    def fits(self, step: Step) -> bool:
        """Whether it was given for this very step."""
        return (self.hazard, self.sql12) == (step.hazard, step.sql12)


@dataclass(frozen=True)
class Edit:
    """A file's SQL was edited by hand, and proven on a Postgres of that major version; bound to the SQL by its hash."""

    why: str
    major: int
    sql_sha256: str


@dataclass(frozen=True)
class Migration:
    """One migration file. `before` and `after` are the table's fingerprints, `previous` the earlier file's hash.

    `adopts`: it makes what was done by hand in some database, which is then entered there as applied.
    """

    number: int
    dataset: str
    version: int
    phase: Phase
    before: str
    after: str
    previous: str
    steps: tuple[Step, ...]
    planner: int = PLANNER
    postgres: int = POSTGRES_MINIMUM
    approvals: tuple[Approval, ...] = ()
    adopts: bool = False
    edited: Edit | None = None

    def unapproved(self) -> tuple[tuple[int, Step], ...]:
        """The steps, by number, whose hazard nobody has approved as they are."""
        return tuple(
            (number, step)
            for number, step in enumerate(self.steps, start=1)
            if step.hazard is not Hazard.NONE
            and not any(one.step == number and one.fits(step) for one in self.approvals)
        )

    def void_approvals(self) -> tuple[Approval, ...]:
        """Approvals of a step that is not there, has no such hazard, or has other SQL now."""
        return tuple(
            one
            for one in self.approvals
            if not (0 < one.step <= len(self.steps) and one.fits(self.steps[one.step - 1]))
        )

    @property
    def sql_sha256(self) -> str:
        """The hash over the steps' SQL, each stripped, joined by LF."""
        return sha256_bytes("\n".join(step.sql.strip() for step in self.steps).encode())


@dataclass(frozen=True)
class ChainFile:
    """A migration with the bytes that it was read from; `path` is where, for messages."""

    name: str
    migration: Migration
    sha256: str
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class Chain:
    """The migrations of one dataset version in order, and the Table that they end in."""

    dataset: str
    version: int
    files: tuple[ChainFile, ...]
    table: Table

    @property
    def end(self) -> str:
        """The fingerprint after the last file."""
        return self.files[-1].migration.after if self.files else ABSENT_FINGERPRINT

    @property
    def expanded(self) -> tuple[ChainFile, ...]:
        """The files up to the last one that runs before the sinks do; contract files at the end wait for the sinks."""
        count = len(self.files)
        while count and self.files[count - 1].migration.phase is Phase.CONTRACT:
            count -= 1
        return self.files[:count]

    @property
    def contract(self) -> int:
        """The number of the last contract file, 0 where there is none: what a sink's plan says that it can do without."""
        contracts = (one.migration.number for one in self.files if one.migration.phase is Phase.CONTRACT)
        return max(contracts, default=0)
