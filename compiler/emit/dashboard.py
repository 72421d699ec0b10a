"""One CloudWatch dashboard for a stack, as JSON: a row of graphs for each dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compiler import names
from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.emit import metrics
from compiler.emit.metrics import Metric

WIDTH, HEIGHT = 6, 5  # of a graph; a dashboard is 24 wide
TITLE_HEIGHT = 1
MOST_DATASETS = 99
"""CloudWatch takes 500 graphs and texts in a dashboard; a dataset has five."""


def body(datasets: Sequence[Dataset], prefix: str, region: str, cluster: str) -> Json:
    """The dashboard's body. Datasets beyond MOST_DATASETS, by name, are named in a text instead of shown."""
    ordered = sorted(datasets, key=lambda dataset: dataset.name)
    shown, left = ordered[:MOST_DATASETS], ordered[MOST_DATASETS:]
    widgets: list[Json] = []
    for number, dataset in enumerate(shown):
        widgets += _row(dataset, prefix, region, cluster, number * (HEIGHT + TITLE_HEIGHT))
    if left:
        words = f"Not shown, since a dashboard holds no more: {', '.join(dataset.name for dataset in left)}"
        widgets.append(_text(words, len(shown) * (HEIGHT + TITLE_HEIGHT)))
    return {"start": "-PT3H", "widgets": widgets}


def _row(dataset: Dataset, prefix: str, region: str, cluster: str, top: int) -> Iterator[Json]:
    buffer = names.buffer_queue(prefix, dataset.name)
    dead = names.dead_letter_queue(prefix, dataset.name)
    service = names.service(prefix, dataset.name)
    yield _text(f"### {dataset.name} v{dataset.version} ({dataset.owner})", top)
    graphs = (
        (
            "messages",
            [_queue("waiting", buffer, metrics.VISIBLE), _queue("in hand", buffer, metrics.IN_FLIGHT)],
            None,
        ),
        (
            "age of the oldest (s)",
            [_queue("age", buffer, metrics.OLDEST)],
            (dataset.alarms.oldest_age_seconds, "alarm"),
        ),
        (
            "messages a minute",
            [_queue("sent", buffer, metrics.SENT, "Sum"), _queue("done", buffer, metrics.DELETED, "Sum")],
            None,
        ),
        (
            "dead letters, and sinks",
            [_queue("dead letters", dead, metrics.VISIBLE), metrics.running_tasks("sinks", cluster, service)],
            None,
        ),
    )
    for column, (title, shown, line) in enumerate(graphs):
        yield {
            "type": "metric",
            "x": column * WIDTH,
            "y": top + TITLE_HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "region": region,
                "view": "timeSeries",
                "period": metrics.PERIOD_SECONDS,
                "metrics": list(map(_metric, shown)),
                "yAxis": {"left": {"min": 0}},
                **({"annotations": {"horizontal": [{"value": line[0], "label": line[1]}]}} if line else {}),
            },
        }


def _queue(label: str, queue: str, name: str, statistic: str = "Maximum") -> Metric:
    return metrics.of_queue(label, queue, name, statistic)


def _metric(metric: Metric) -> Json:
    """`[namespace, name, dimension, value, …, options]`, as CloudWatch has it; the metric's id is its label here."""
    dimensions = [part for pair in metric.dimensions for part in pair]
    return [
        metric.namespace,
        metric.name,
        *dimensions,
        {"label": metric.id, "stat": metric.statistic},
    ]


def _text(words: str, top: int) -> Json:
    return {
        "type": "text",
        "x": 0,
        "y": top,
        "width": 4 * WIDTH,
        "height": TITLE_HEIGHT,
        "properties": {"markdown": words},
    }
