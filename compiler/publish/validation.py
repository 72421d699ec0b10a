"""Records against the dataset's effective schema, before anything is sent.

The same schema decides in the sink; here a producer learns of a bad record from its own terminal and not from the
dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import jsonschema_rs

from compiler.dataset import Dataset
from compiler.problems import Pointer, json_path
from compiler.publish.records import Record


@dataclass(frozen=True)
class Refusal:
    """Why one record would not be admitted: the line where it begins, the JSON path in it, the reason."""

    line: int
    pointer: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line} {self.pointer}: {self.message}"


def split(dataset: Dataset, records: Iterable[Record]) -> Iterator[Record | tuple[Refusal, ...]]:
    """Each record as it is when it is admitted, else the reasons why not; in order."""
    validator = jsonschema_rs.Draft202012Validator(dataset.effective.value, validate_formats=True)
    for record in records:
        try:
            admitted = validator.is_valid(record.value)
        except UnicodeEncodeError:
            yield (Refusal(record.line, "$", "a string holds half a surrogate pair"),)
            continue
        if admitted:
            yield record
        else:
            yield tuple(_refusals(validator, record))


def _refusals(validator: jsonschema_rs.Draft202012Validator, record: Record) -> Iterator[Refusal]:
    try:
        errors = list(validator.iter_errors(record.value))
    except ValueError:  # an error holds the value, and Python makes no int of over 4,300 digits
        yield Refusal(record.line, "$", "a number of over 4,300 digits is not admitted")
        return
    for error in errors:
        pointer: Pointer = tuple(error.instance_path)
        yield Refusal(record.line, json_path(pointer), error.message)
