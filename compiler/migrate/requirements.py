"""What must hold before a chain's files run: roles, one environment a database, approvals, no sink in need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import Connection

from compiler.migrate import sizes
from compiler.migrate.approve import approving
from compiler.migrate.errors import ApprovalError, HeldBackError, JournalError, RoleError, TooLongError
from compiler.migrate.model import Chain, ChainFile, Phase
from compiler.migrate.relations import relation_of

# A sink says every few seconds that it is alive; one that was killed holds a contract migration back for so long.
LIVE_SECONDS = 60


def require_approvals(chain: Chain, files: Iterable[ChainFile]) -> None:
    """Somebody has approved each hazard of the files. Raises ApprovalError."""
    for member in files:
        for number, step in member.migration.unapproved():
            raise ApprovalError(
                f"{chain.dataset} {member.name}, step {number} ({step.title}) may do harm ({step.hazard}), and nobody "
                "has approved it.",
                f"Nothing was changed. After review: `{approving(chain.dataset, member.migration, number)}`.",
            )


def require_short(
    connection: Connection[Any], chain: Chain, files: Iterable[ChainFile], longest: int | None
) -> None:
    """No step works for longer than so many seconds, by the live table's size. Raises TooLongError."""
    if longest is None:
        return
    live = sizes.size(connection, relation_of(chain))
    for member in files:
        for number, step in enumerate(member.migration.steps, start=1):
            took = sizes.seconds(step, live)
            if took > longest:
                raise TooLongError(
                    f"{chain.dataset} {member.name}, step {number} ({step.title}) would work on {live} for about "
                    f"{took // 60} minutes, longer than the {longest // 60} that a deployment may take.",
                    f"Nothing was changed. Run `sluice migrate apply {chain.dataset}` from this commit first; the "
                    "deployment then finds the table as it should be.",
                )


def require_release(connection: Connection[Any], chain: Chain, member: ChainFile) -> None:
    """No sink runs that needs what the file removes: each has a plan of a chain that ended in it, or after it.

    Raises HeldBackError.
    """
    waits = tuple(sinks_in_need(connection, chain, member))
    if waits:
        raise HeldBackError(
            f"{chain.dataset} {member.name} removes what running sinks need: {'; '.join(waits)}.",
            f"What came before it is kept. {_release(chain, member)}",
        )


def _release(chain: Chain, member: ChainFile) -> str:
    """The way out. Sinks of this commit cannot run where what they need comes only after the file."""
    if member not in chain.expanded:
        return "Roll out the sinks of this commit, then run the command again."
    return (
        f"Roll out the sinks of the commit that ends in {member.name} first; or stop these sinks, whose messages wait in "
        "the buffer meanwhile, and run the command again."
    )


def sinks_in_need(connection: Connection[Any], chain: Chain, member: ChainFile) -> Iterator[str]:
    """The sinks that still need what a contract file removes."""
    if member.migration.phase is not Phase.CONTRACT:
        return
    rows = connection.execute(
        "SELECT instance, plan_sha256, extract(epoch FROM now() - last_seen)::bigint FROM sluice.sink_instances"
        " WHERE dataset = %s AND version = %s AND contract < %s AND last_seen > now() - make_interval(secs => %s)"
        " ORDER BY instance",
        (chain.dataset, chain.version, member.migration.number, LIVE_SECONDS),
    )
    for instance, plan, seconds in rows:
        yield f"{instance} with plan {plan[:19]}… (seen {seconds} s ago)"


def require_role(connection: Connection[Any], role: str) -> None:
    """The role that the dataset's sink writes as is there. Raises RoleError."""
    if connection.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        raise RoleError(
            f"There is no role {role}, as which the dataset's sink would write.",
            "The Pulumi program makes it: run `pulumi up` (or `sluice dev up`), or give the environment's --prefix.",
        )


def require_registration(connection: Connection[Any], chain: Chain, writer_role: str) -> None:
    """One database serves one environment: a dataset that is there already has the same writer role.

    Raises JournalError.
    """
    row = connection.execute(
        "SELECT writer_role::text FROM sluice.datasets WHERE dataset = %s", (chain.dataset,)
    ).fetchone()
    if row is not None and row[0] != writer_role:
        raise JournalError(
            f"{chain.dataset} is registered for the writer role {row[0]}, not {writer_role}.",
            "Two environments may not share a database; check --prefix (or --stack) and the database.",
        )
