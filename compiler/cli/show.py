"""`sluice show NAME`: a dataset with every default, type and limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from compiler.canonical import Json
from compiler.cli.common import DATASETS, project_root, stop
from compiler.dataset import Dataset
from compiler.describe import conflict_text, describe
from compiler.manifest import load
from compiler.pipeline import MANIFEST, compile_datasets
from compiler.problems import errors
from compiler.record import Analysis, analyse
from compiler.report import write_text
from compiler.suggest import fix_for, quoted

Row = tuple[str, ...]
_UNNAMED_COLUMNS = ("", "")


@click.command("show", epilog="Exit codes: 0 shown, 1 the dataset has problems, 2 there is no such dataset.")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(ctx: click.Context, name: str, form: str) -> None:
    """Show a dataset with every default, its columns, what the table and the sink check, and its derived names.

    As JSON, the layout is stable, and the record schema and the effective schema are part of it. Names carry the
    environment's prefix, which is written <prefix>.
    """
    dataset, analysis = _find(project_root(ctx), name)
    description = describe(dataset, analysis)
    if form == "json":
        click.echo(json.dumps(description, indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _print_page(description, dataset)
    else:
        click.echo("\n".join(_plain_page(description, dataset)))


def _find(root: Path, name: str) -> tuple[Dataset, Analysis]:
    folder = root / DATASETS / name
    file = folder / MANIFEST
    if not file.is_file():
        known = (path.parent.name for path in (root / DATASETS).glob(f"*/{MANIFEST}"))
        fix = fix_for(name, known, f"See {root / DATASETS}, or make it with sluice init {name}.")
        raise click.UsageError(f"There is no dataset {quoted(name)}. {fix}")
    compilation = compile_datasets(root, [file])
    if errors(compilation.problems):
        stop(compilation.problems)
    write_text(compilation.problems, sys.stderr)
    manifest = load(file, str(file)).manifest
    assert manifest is not None, "a manifest without errors has its shape"
    return compilation.datasets[0].dataset, analyse(manifest)


# --- the page: sections of rows, which are printed plain or in colours ----------------------------------------------


def _sections(description: dict[str, Json], dataset: Dataset) -> Iterator[tuple[str, Row, list[Row]]]:
    """(title, column heads or blanks, rows)."""
    table = description["table"]
    yield "", _UNNAMED_COLUMNS, _head(description)
    yield (
        "Columns",
        ("column", "type", "null", "from", "default", "classification"),
        [_column(c) for c in table["columns"]],
    )
    yield (
        "Sluice's own columns",
        ("column", "type"),
        [(c["name"], c["type"]) for c in table["sluice_columns"]],
    )
    yield (
        "Key",
        _UNNAMED_COLUMNS,
        [("columns", ", ".join(table["key"])), ("on conflict", conflict_text(dataset.on_conflict))],
    )
    yield "Indexes", ("name", "method", "columns", "where"), [_index(index) for index in table["indexes"]]
    yield "Checks in the table", ("column", "rule"), list(_checks(table))
    yield "Checks in the sink alone", ("column", "keyword"), list(_sink_checks(table))
    narrowings: list[Row] = [(one["column"], one["text"]) for one in description["narrowings"]]
    yield "What the columns hold, beyond the record schema", ("column", "limit"), narrowings
    for title in ("buffer", "sink", "alarms", "events"):
        yield (
            title.capitalize(),
            _UNNAMED_COLUMNS,
            [(key, _value(value)) for key, value in description[title].items()],
        )
    yield "Names", _UNNAMED_COLUMNS, [(key, _value(value)) for key, value in description["names"].items()]


def _head(description: dict[str, Json]) -> list[Row]:
    fields = ("description", "owner", "classification", "producers", "readers", "uuid", "record_sha256")
    rows: list[Row] = [("dataset", f"{description['name']} v{description['version']}")]
    rows += [(field, _value(description[field])) for field in fields]
    if description["evolve"]["compatible"]:
        rows.append(("compatible", description["evolve"]["compatible"]))
    return rows


def _column(column: dict[str, Json]) -> Row:
    null = "yes" if column["nullable"] else "no"
    default = "" if column["default"] is None else json.dumps(column["default"], ensure_ascii=False)
    return (column["name"], column["type"], null, column["from"], default, column["classification"])


def _index(index: dict[str, Json]) -> Row:
    columns = [
        f"{part['column']} desc" if part["order"] == "desc" else part["column"] for part in index["columns"]
    ]
    included = f" include {', '.join(index['include'])}" if index["include"] else ""
    return (index["name"], index["method"], ", ".join(columns) + included, index["where"] or "")


def _checks(table: dict[str, Json]) -> Iterator[Row]:
    for column in table["columns"]:
        for check in column["checks"]:
            yield column["name"], check["text"]
    for check in table["checks"]:
        yield "(table)", check["text"]


def _sink_checks(table: dict[str, Json]) -> Iterator[Row]:
    for column in table["columns"]:
        for text in column["sink_checks"]:
            yield column["name"], text


def _value(value: Json) -> str:
    match value:
        case None | [] | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _plain_page(description: dict[str, Json], dataset: Dataset) -> Iterator[str]:
    for title, heads, rows in _sections(description, dataset):
        if not rows:
            continue
        if title:
            yield f"\n{title}"
        lines = [heads, *rows] if any(heads) else rows
        widths = [max(len(row[i]) for row in lines) for i in range(len(heads))]
        indent = "  " if title else ""
        for row in lines:
            yield (
                indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            ).rstrip()


def _print_page(description: dict[str, Json], dataset: Dataset) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for title, heads, rows in _sections(description, dataset):
        if not rows:
            continue
        options: dict[str, Any] = {
            "box": None,
            "pad_edge": False,
            "header_style": "dim",
            "show_header": any(heads),
        }
        page = Table(**options)
        for number, head in enumerate(heads):
            page.add_column(head, style="cyan" if number == 0 else None, overflow="fold")
        for row in rows:
            page.add_row(*(_escaped(cell) for cell in row))
        if title:
            console.print(f"\n[bold]{title}[/bold]")
        console.print(page)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
