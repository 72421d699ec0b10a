"""`sluice show`: everything, as a page and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from compiler.cli.main import main
from compiler.pipeline import compile_datasets

ROOT = Path(__file__).parents[2]
NAMES = [one.dataset.name for one in compile_datasets(ROOT).datasets]


def show(*arguments: str):
    return CliRunner().invoke(main, ["--project", str(ROOT), "show", *arguments])


@pytest.mark.parametrize("name", NAMES)
def test_json_names_every_column_and_schema(name):
    result = show(name, "--format", "json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    (dataset,) = (one.dataset for one in compile_datasets(ROOT).datasets if one.dataset.name == name)
    assert [column["name"] for column in shown["table"]["columns"]] == [
        column.name for column in dataset.columns
    ]
    assert shown["effective"] == dataset.effective.value
    assert shown["record_sha256"] == dataset.record_sha256
    assert shown["names"]["writer_role"] == f"<prefix>_{name}_w"
    assert sum(len(column["checks"]) for column in shown["table"]["columns"]) + len(
        shown["table"]["checks"]
    ) == len(dataset.checks)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_plain_where_it_is_piped(name):
    result = show(name)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    for heading in ("Columns", "Key", "Checks in the table", "What the columns hold", "Buffer", "Names"):
        assert f"\n{heading}" in result.stdout
    assert "timestamp with time zone" in result.stdout


def test_the_same_dataset_gives_the_same_page():
    assert show(NAMES[0]).stdout == show(NAMES[0]).stdout


def test_an_unknown_name_is_met_with_the_nearest():
    result = show("alert_event")
    assert result.exit_code == 2
    assert 'Did you mean "alert_events"?' in result.stderr


def test_a_wrong_manifest_is_told_and_not_shown(tmp_path):
    folder = tmp_path / "datasets" / "wrong"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text('{"name": "wrong"}')
    result = CliRunner().invoke(main, ["--project", str(tmp_path), "show", "wrong"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "dataset.json:1" in result.stderr


def test_what_the_sink_alone_checks_of_bytes_times_and_arrays_is_said(tmp_path):
    folder = tmp_path / "datasets" / "files"
    folder.mkdir(parents=True)
    properties = {
        "digest": {"type": "string", "contentEncoding": "base64", "maxLength": 44},
        "opens": {"type": "string", "format": "time"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    }
    manifest = {
        "name": "files",
        "version": 1,
        "owner": "team",
        "record": {
            "type": "object",
            "additionalProperties": False,
            "required": ["digest"],
            "properties": properties,
        },
        "table": {"key": ["digest"], "columns": {"tags": {"type": "text[]"}}},
    }
    (folder / "dataset.json").write_text(json.dumps(manifest))
    result = CliRunner().invoke(main, ["--project", str(tmp_path), "show", "files", "--format", "json"])
    shown = json.loads(result.stdout)
    columns = {column["name"]: column for column in shown["table"]["columns"]}
    assert [column["type"] for column in columns.values()] == ["bytea", "time with time zone", "text[]"]
    assert [column["sink_checks"] for column in columns.values()] == [
        ["maxLength 44"],
        [],
        ["items", "maxItems 5"],
    ]
    assert not any(column["checks"] for column in columns.values())
    assert [one["column"] for one in shown["narrowings"]] == ["digest", "opens", "tags"]
