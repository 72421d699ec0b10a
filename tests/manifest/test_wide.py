"""A table that Postgres could not have."""

import json

import pytest

from compiler.pipeline import check_datasets


@pytest.mark.parametrize(("properties", "refused"), [(1596, False), (1598, True)])
def test_a_table_of_too_many_columns_is_refused(tmp_path, properties, refused):
    names = ["id", *(f"c{number}" for number in range(properties - 1))]
    manifest = {
        "name": "wide",
        "version": 1,
        "owner": "risk-platform",
        "record": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id"],
            "properties": {name: {"type": "integer"} for name in names},
        },
        "table": {"key": ["id"]},
        "producers": ["monitor"],
    }
    folder = tmp_path / "datasets" / "wide"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(manifest))
    rules = {problem.rule for problem in check_datasets(tmp_path).problems}
    assert ("too-many-columns" in rules) is refused
