"""The control schema and a dataset's table as dynamic resources: Pulumi decides when, reviewed files say what.

Plans are made outside the engine, by `sluice plan`, and committed. `check()` puts what the committed files will run into
the resource's inputs, since previews, policies and saved plans see inputs and nothing else; where nothing is left to
run the lists are empty. `create` and `update` apply the files through `compiler.migrate`, whose journal in the database
decides what is really left. A step that the live table's size would make long is refused there, and runs before the
deployment by `sluice migrate apply`. `read`, which a refresh asks, says how far the database is and what was changed by
hand; the next update then applies what is missing, or refuses with the drift. Nothing is ever dropped: `delete` retains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from compiler.canonical import sha256
from compiler.emit.pulumi.admin import Admin
from compiler.migrate import session
from compiler.migrate.apply import apply_chain, status_in
from compiler.migrate.chain import ChainError, read_chain
from compiler.migrate.control import ControlFile, apply_control, control_files, missing
from compiler.migrate.drop import drop_dataset
from compiler.migrate.errors import HeldBackError
from compiler.migrate.model import Chain, ChainFile, Hazard, Phase
from compiler.migrate.patience import Patience
from compiler.migrate.sizes import DEPLOYMENT_SECONDS
from compiler.names import CONTROL_SCHEMA

# The longest that a sink drains, and as long again as a killed one counts as alive.
RELEASE_SECONDS = 180
RELEASE_ASK_SECONDS = 3

_OWN_KEYS = ("__provider", "drift")


@dataclass(frozen=True)
class TableTarget:
    """Where a dataset's table shall be.

    `folder` is the dataset's, relative to the project's root, where program and providers run; `chain` the hash of the
    last committed migration file of the phase, which through `previous` stands for all before it. `expand` is what runs
    before the new sinks; `contract` is the whole chain, whose last files wait for the old sinks to be gone. `drops`: the
    dataset's tombstone says that the table goes with the folder.
    """

    dataset: str
    version: int
    owner: str
    folder: str
    chain: str
    writer_role: str
    phase: Phase = Phase.EXPAND
    drops: bool = False

    def files(self, chain: Chain) -> tuple[ChainFile, ...]:
        """The chain's files up to the phase's end."""
        return chain.expanded if self.phase is Phase.EXPAND else chain.files


class ControlSchemaProvider(ResourceProvider):
    """Brings the control schema and the datasets' schemas. It is pickled by reference, so it is made without any state."""

    serialize_as_secret_always = False

    _admin: Admin

    def configure(self, req: ConfigureRequest) -> None:
        """Remember where the deploying user's login is found; nothing is looked up yet."""
        self._admin = Admin.of(req.config)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Add what will run: the control migrations that the state has not seen, by name and text."""
        files = control_files()
        applied = set(_olds.get("files") or ())
        waiting = [file for file in files if file.name not in applied]
        checked = {
            "schemas": sorted(news["schemas"]),
            "files": [file.name for file in files],
            "statements": [file.sql for file in waiting],
            "control_hash": _hash(files),
        }
        return CheckResult(checked, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Changed where there are other control migrations or other schemas."""
        return DiffResult(changes=_differ(("schemas", "control_hash"), _olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the schemas; what is there already is left."""
        return CreateResult("control-schema", self._apply(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What the database has of the schemas and control migrations; gone where it has no control schema."""
        with session.connect(self._admin.conninfo()) as connection:
            lacking = missing(connection, props["schemas"])
        files = [file for file in control_files() if file.name in props["files"]]
        applied = [file for file in files if file.name not in lacking.files]
        if not applied:
            return ReadResult("", {})
        schemas = [name for name in props["schemas"] if name not in lacking.schemas]
        if len(applied) == len(files) and schemas == props["schemas"]:
            return ReadResult(id_, props)
        found = {"schemas": schemas, "files": [file.name for file in applied], "control_hash": _hash(applied)}
        return ReadResult(id_, {**props, **found}, {**_outputs(props), **found})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """As create: a schema that is no longer asked for stays, with what is in it."""
        return UpdateResult(self._apply(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Retain everything."""

    def _apply(self, props: Mapping[str, Any]) -> dict[str, Any]:
        with session.connect(self._admin.conninfo()) as connection:
            apply_control(connection, tuple(props["schemas"]))
        return _outputs(props)


class DatasetSchemasProvider(ControlSchemaProvider):
    """Brings the datasets' schemas on a foundation that another stack has made, and none of that foundation."""

    def _apply(self, props: Mapping[str, Any]) -> dict[str, Any]:
        with session.connect(self._admin.conninfo()) as connection:
            absent = missing(connection, tuple(props["schemas"]))
            lacks = [*absent.roles, *absent.files]
            if lacks:
                raise PlanError(
                    f"the foundation lacks {', '.join(lacks)}. Deploy the stack that sluice:foundation names first,"
                    " with this release."
                )
            apply_control(connection, tuple(props["schemas"]))
        return _outputs(props)


class DatasetTableProvider(ResourceProvider):
    """Brings one dataset's table to the end of its chain. It is pickled by reference, so it is made without any state."""

    serialize_as_secret_always = False

    _admin: Admin

    def configure(self, req: ConfigureRequest) -> None:
        """Remember where the deploying user's login is found; nothing is looked up yet."""
        self._admin = Admin.of(req.config)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Add what will run: statements, hazards, the fingerprints before and after, and the plan's hash."""
        target = _target(news)
        try:
            chain = committed_chain(target)
            shown = (
                len(chain.expanded) if target.phase is Phase.CONTRACT else 0
            )  # by the table's other resource
            waiting = target.files(chain)[max(shown, _position(target, chain, _olds)) :]
        except PlanError as error:
            return CheckResult(dict(news), [CheckFailure("chain", str(error))])
        end = target.files(chain)[-1].migration.after
        return CheckResult({**asdict(target), **_planned(end, waiting)}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Changed where the chain, the version or what is registered with it is another, or a refresh saw drift."""
        keys = ("version", "chain", "owner", "writer_role", "drops")
        return DiffResult(changes=_differ(keys, _olds, _news) or bool(_olds.get("drift")))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Apply the chain. Where the database has seen it, nothing runs."""
        return CreateResult(str(props["dataset"]), self._apply(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """How far the database is, and as `drift` what was changed outside of its migrations, object by object.

        Drift is told once, by the resource of what runs before the sinks. Gone where the database knows nothing of the
        table. A dataset whose folder is gone is left as it was: there is
        nothing to compare with, and the next deployment only forgets it.
        """
        target = _target(props)
        try:
            chain = read_chain(Path(target.folder), target.dataset, target.version)
        except ChainError as error:
            raise PlanError(str(error)) from error
        if chain is None:
            return ReadResult(id_, props)
        with session.connect(self._admin.conninfo()) as connection:
            if CONTROL_SCHEMA in missing(connection, ()).schemas:
                return ReadResult("", {})
            found = status_in(connection, chain)
        if not found.applied:
            return ReadResult("", {})
        done = [file.sha256 for file in target.files(chain) if file.name in found.applied]
        drift = [] if target.phase is Phase.CONTRACT else [*found.trouble, *found.drift]
        live = {"chain": done[-1] if done else "none", "drift": drift}
        if live == {"chain": props["chain"], "drift": []}:
            return ReadResult(id_, {**props, **live})
        return ReadResult(id_, {**props, **live}, {**_outputs(props), "chain": live["chain"]})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Apply what the chain has grown by. Raises DriftError where the table was changed by hand."""
        return UpdateResult(self._apply(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Retain the table and its rows, unless the tombstone that was applied last said that they go."""
        if _props.get("drops"):
            drop_dataset(self._admin.conninfo(), str(_props["dataset"]))

    def _apply(self, props: Mapping[str, Any]) -> dict[str, Any]:
        target = _target(props)
        chain, conninfo = committed_chain(target), self._admin.conninfo()

        def apply() -> None:
            apply_chain(
                conninfo,
                chain,
                target.writer_role,
                target.owner,
                patience=Patience(longest=DEPLOYMENT_SECONDS),
                expand_only=target.phase is Phase.EXPAND,
            )

        _once_released(apply)
        return {**_outputs(props), "drift": []}


def _once_released(apply: Callable[[], None]) -> None:
    """Apply; what running sinks still need is waited for, as the last of them may be draining. Raises HeldBackError after
    RELEASE_SECONDS.
    """
    tries = Retrying(
        retry=retry_if_exception_type(HeldBackError),
        stop=stop_after_delay(RELEASE_SECONDS),
        wait=wait_fixed(RELEASE_ASK_SECONDS),
        reraise=True,
    )
    tries(apply)


class ControlSchema(Resource, module="sluice", name="ControlSchema"):
    """`pulumi-python:dynamic/sluice:ControlSchema`."""

    def __init__(self, name: str, schemas: Sequence[str], opts: ResourceOptions | None = None) -> None:
        super().__init__(ControlSchemaProvider(), name, {"schemas": list(schemas)}, opts)


class DatasetSchemas(Resource, module="sluice", name="DatasetSchemas"):
    """`pulumi-python:dynamic/sluice:DatasetSchemas`. Its foundation is another stack's."""

    def __init__(self, name: str, schemas: Sequence[str], opts: ResourceOptions | None = None) -> None:
        super().__init__(DatasetSchemasProvider(), name, {"schemas": list(schemas)}, opts)


class DatasetTable(Resource, module="sluice", name="DatasetTable"):
    """`pulumi-python:dynamic/sluice:DatasetTable`. It must come after the control schema and the writer's role."""

    def __init__(self, name: str, target: TableTarget, opts: ResourceOptions | None = None) -> None:
        super().__init__(DatasetTableProvider(), name, asdict(target), opts)


class PlanError(Exception):
    """The committed files are not the ones that the program was given, or not the ones that were applied."""


def committed_chain(target: TableTarget) -> Chain:
    """The chain on disk, which must be the one that the program saw. Raises PlanError."""
    try:
        chain = read_chain(Path(target.folder), target.dataset, target.version)
    except ChainError as error:
        raise PlanError(str(error)) from error
    found = target.files(chain)[-1].sha256 if chain else "none"
    if chain is None or found != target.chain:
        raise PlanError(
            f"the migrations in {target.folder} end in {found}, the program was given {target.chain}."
            " Were they changed while it ran, or does the provider run in another folder?"
        )
    return chain


def _position(target: TableTarget, chain: Chain, olds: Mapping[str, Any]) -> int:
    """How many files of the chain the state has seen applied. Raises PlanError where they are not this chain's."""
    if not olds or olds.get("version") != target.version:
        return 0
    hashes = [file.sha256 for file in target.files(chain)]
    if olds["chain"] not in hashes:
        raise PlanError(
            f"{target.dataset} v{target.version} was applied up to {olds['chain']}, which is not among the committed"
            " migrations any more. Migrations only grow: restore the files, and plan the way back as a new one."
        )
    return hashes.index(olds["chain"]) + 1


def _planned(end: str, waiting: Sequence[ChainFile]) -> dict[str, Any]:
    """What the engine shows: everything of the files that are left to run; `end` is the fingerprint after the last one."""
    steps = [(file, step) for file in waiting for step in file.migration.steps]
    before = waiting[0].migration.before if waiting else end
    statements = [step.sql for _, step in steps]
    return {
        "from": before,
        "to": end,
        "files": [file.name for file in waiting],
        "statements": statements,
        "hazards": [
            f"{file.name}: {step.title}: {step.hazard}, {step.effort} under lock {step.lock}"
            for file, step in steps
            if step.hazard is not Hazard.NONE
        ],
        "plan_hash": sha256(statements),
    }


def _target(props: Mapping[str, Any]) -> TableTarget:
    """The target in a resource's properties; the wire's numbers are floats."""
    fields = {name: props[name] for name in TableTarget.__dataclass_fields__ if name in props}
    phase = Phase(fields.get("phase", Phase.EXPAND))
    return TableTarget(**{**fields, "version": int(fields["version"]), "phase": phase})


def _outputs(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key not in _OWN_KEYS}


def _hash(files: Iterable[ControlFile]) -> str:
    return sha256([[file.name, file.sha256] for file in files])


def _differ(keys: Iterable[str], olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    return any((olds.get(key) or None) != (news.get(key) or None) for key in keys)
