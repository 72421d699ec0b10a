"""Records against the dataset's effective schema, before anything is sent.

The same schema decides in the sink; here a producer learns of a bad record from its own terminal and not from the
dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import jsonschema_rs

from compiler.dataset import Dataset
from compiler.explain import explain
from compiler.manifest.source import Source
from compiler.problems import Finding, Problem
from compiler.publish.records import Record

# An explanation costs a hundred times what the decision does, and nobody reads more.
MOST_EXPLAINED = 1_000


def split(
    dataset: Dataset, outcomes: Iterable[Record | Problem], file: str
) -> Iterator[Record | tuple[Problem, ...]]:
    """Each record as it is when it is admitted, else the reasons why not, in order; what could not be read is refused.

    `file` is the name that problems carry. After MOST_EXPLAINED refused records no reason is given, only that one is refused.
    """
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    refused = 0
    for outcome in outcomes:
        if isinstance(outcome, Record) and _admits(validator, outcome):
            yield outcome
            continue
        refused += 1
        if refused > MOST_EXPLAINED:
            yield ()
        elif isinstance(outcome, Record):
            yield tuple(_problems(validator, outcome, dataset, file))
        else:
            yield (outcome,)


def _admits(validator: jsonschema_rs.Draft202012Validator, record: Record) -> bool:
    try:
        return validator.is_valid(record.value)
    except UnicodeEncodeError:
        return False


def _problems(
    validator: jsonschema_rs.Draft202012Validator, record: Record, dataset: Dataset, file: str
) -> Iterator[Problem]:
    for finding in _findings(validator, record, dataset):
        yield record.problem(Source(Path(file), file, record.text, record.value).problem(finding))


def _findings(
    validator: jsonschema_rs.Draft202012Validator, record: Record, dataset: Dataset
) -> tuple[Finding, ...]:
    try:
        return explain(validator.iter_errors(record.value), dataset.effective.value)
    except UnicodeEncodeError:
        message = "A string holds half of a surrogate pair, which is no Unicode text."
        return (Finding((), "bad-character", message, "Remove it."),)
    except ValueError:  # an error holds the value, and Python makes no int of over 4,300 digits
        message = "A number has over 4,300 digits."
        return (Finding((), "number-precision", message, "Send it as a string."),)
