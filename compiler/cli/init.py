"""`sluice init`: a first manifest that passes `sluice check`, with examples of good and bad records."""

from __future__ import annotations

import getpass
import json
import os
import re
from pathlib import Path

import click

from compiler.canonical import Json
from compiler.cli.common import DATASETS, fail, find_project
from compiler.cli.init_project import lacking
from compiler.defaults import SCHEMA_FILE

_WIDTH = 90
_ID = "2f1c7b52-7a0e-4c1e-9d7a-0d6f3f1f9b01"


@click.command("init")
@click.argument("name")
@click.option(
    "--owner", metavar="TEAM", help="The team that answers for the dataset. [default: your user name]"
)
@click.pass_context
def command(ctx: click.Context, name: str, owner: str | None) -> None:
    """Write a first manifest with examples to datasets/NAME.

    Where there is no project yet, here or above, one is begun here: with the Pulumi program that `sluice dev up` and
    `pulumi up` run, and its stack "embedded".

    The manifest passes `sluice check` as it is; edit its record schema and its key, then plan the table.
    """
    root = _root(ctx)
    folder = root / DATASETS / name
    manifest = first_manifest(name, owner or _user(), _schema_reference(root, folder))
    _refuse(manifest)
    if folder.exists():
        fail(f"{folder} exists already.", "Choose another name, or remove the folder.")
    program = lacking(root)
    _write(folder, manifest)
    for path, data in program.items():
        path.write_bytes(data)
    if program:
        click.echo(f"Began a project in {root.resolve()}: {', '.join(path.name for path in program)}.")
    for line in _next_steps(name, folder):
        click.echo(line)


def first_manifest(name: str, owner: str, schema: str | None) -> dict[str, Json]:
    """A small, complete manifest: a natural key, an index, and what a record needs to be understood.

    `schema` is where an editor finds the manifest's JSON Schema, if it can.
    """
    return {
        **({"$schema": schema} if schema else {}),
        "name": name,
        "version": 1,
        "owner": owner,
        "classification": "internal",
        "description": "What one record is, and when it is sent.",
        "record": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "occurred_at", "kind"],
            "properties": {
                "id": {
                    "type": "string",
                    "format": "uuid",
                    "description": "Given by the producer, once per event",
                },
                "occurred_at": {"type": "string", "format": "date-time"},
                "kind": {"type": "string", "enum": ["created", "changed", "removed"]},
                "amount": {"type": "integer", "minimum": 0},
                "note": {"type": "string", "maxLength": 500},
            },
        },
        "table": {
            "key": ["id"],
            "on_conflict": "ignore",
            "indexes": [{"name": "recent", "columns": [{"column": "occurred_at", "order": "desc"}]}],
            "columns": {"ingested_at": {"from": "$ingested_at"}},
        },
        "producers": ["app"],
        "readers": ["analytics"],
    }


def examples() -> dict[str, Json]:
    """Example records by file name, valid and invalid."""
    order = {"id": _ID, "occurred_at": "2026-03-14T09:26:53Z", "kind": "created"}
    return {
        "valid/minimal.json": order,
        "valid/complete.json": {**order, "kind": "changed", "amount": 3, "note": "second attempt"},
        "invalid/missing_kind.json": {key: value for key, value in order.items() if key != "kind"},
        "invalid/unknown_kind.json": {**order, "kind": "deleted"},
        "invalid/id_is_no_uuid.json": {**order, "id": "42"},
        "invalid/negative_amount.json": {**order, "amount": -1},
    }


def _root(ctx: click.Context) -> Path:
    given: Path | None = ctx.find_root().obj
    try:
        return find_project(given)
    except click.UsageError:
        return Path()


def _schema_reference(root: Path, folder: Path) -> str | None:
    """The path from the manifest to its JSON Schema where the project has it; a path out of it helps nobody else."""
    if not SCHEMA_FILE.is_relative_to(root.resolve()):
        return None
    return Path(os.path.relpath(SCHEMA_FILE, folder)).as_posix()


def _user() -> str:
    user = re.sub(r"[^a-z0-9_-]", "-", getpass.getuser().lower())
    return user if user[:1].isalpha() else f"team-{user}"


def _refuse(manifest: dict[str, Json]) -> None:
    """Fail where the name or the owner is not one, in the words of `sluice check`."""
    from compiler.manifest.shape import RawManifest, shape_findings
    from compiler.rules.identity import name_is_free

    found = shape_findings(manifest) or tuple(name_is_free(RawManifest(manifest, Path(manifest["name"]))))
    for finding in found:
        fail(finding.message, finding.fix)


def _write(folder: Path, manifest: dict[str, Json]) -> None:
    files = {"dataset.json": manifest, **{f"examples/{name}": value for name, value in examples().items()}}
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pretty(value) + "\n", encoding="utf-8", newline="\n")


def pretty(value: Json, indent: int = 0) -> str:
    """JSON as a person writes it: what fits on a line stays on one, apart from the document itself."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or (indent and len(line) + indent <= _WIDTH):
        return line
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}: {pretty(item, indent + 2)}" for key, item in value.items()]
    else:
        members = [pretty(item, indent + 2) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    body = ",\n".join(" " * (indent + 2) + member for member in members)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def _next_steps(name: str, folder: Path) -> list[str]:
    steps = (
        (f"edit {folder}/dataset.json", "the record's schema, the key, who sends and who reads"),
        ("sluice check", "every problem, with its place"),
        (f"sluice show {name}", "the columns, every default and limit"),
        (f"sluice plan {name}", "the table's first migration, for review"),
        ("sluice dev up", "the whole environment on this machine"),
    )
    width = max(len(command) for command, _ in steps) + 4
    return [
        f"Wrote {folder}/dataset.json and {len(examples())} examples.",
        "",
        "Next:",
        *(f"  {command:{width}}{what}" for command, what in steps),
    ]
