"""table.json: lossless, and in one form only."""

import json

import pytest
from hypothesis import given

from compiler.migrate import table_json
from compiler.table import table_of
from tests.migrate.strategies import tables
from tests.support.datasets import alert_events, integrity_signals, monitoring_events


@pytest.mark.parametrize(
    "dataset", [alert_events(), integrity_signals(), monitoring_events()], ids=lambda d: d.name
)
def test_the_samples_read_back(dataset):
    table = table_of(dataset)
    assert table_json.loads(table_json.dumps(table)) == table


@given(tables())
def test_any_table_reads_back(table):
    text = table_json.dumps(table)
    assert table_json.loads(text) == table
    assert table_json.dumps(table_json.loads(text)) == text


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"uuid"', '"money"'),
        lambda text: text.replace('"nullable": true', '"nullable": 1'),
        lambda text: text.replace('"one_of"', '"none_of"'),
        lambda text: text.replace("  ", " "),
        lambda text: text.replace('"comment": "Stable', '"extra": 1, "comment": "Stable'),
        lambda text: text[:-2],
        lambda text: "[]\n",
        lambda text: json.dumps(json.loads(text)) + "\n",
    ],
)
def test_another_form_is_refused(change):
    text = table_json.dumps(table_of(alert_events()))
    assert change(text) != text
    with pytest.raises(table_json.TableJsonError):
        table_json.loads(change(text))
