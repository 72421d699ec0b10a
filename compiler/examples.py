"""Example records: `examples/valid/*.json` must be admitted by the effective schema, `examples/invalid/*.json` refused.

A file holds one record or an array of them. They document the dataset, and prove that its schema says what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs

from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.manifest import Source, read
from compiler.problems import Finding, Pointer, Problem
from compiler.suggest import quoted

_KINDS = ("invalid", "valid")
# What the sink's decoder refuses before any schema is asked; an invalid example may show it.
_DECODER_RULES = frozenset(("bad-character", "number-precision"))


def example_problems(dataset: Dataset, folder: Path, file_folder: str) -> Iterator[Problem]:
    """What is wrong with the examples in the dataset's folder, which is printed as `file_folder`."""
    examples = folder / "examples"
    if not examples.is_dir():
        return
    schema = dataset.effective.value
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for kind in sorted(examples.iterdir()):
        printed = f"{file_folder}/examples/{kind.name}"
        if kind.name not in _KINDS:
            if not kind.name.startswith("."):
                yield Problem(
                    printed,
                    "examples-folder",
                    f"There is no kind of example called {quoted(kind.name)}.",
                    fix='Use the folders "valid" and "invalid".',
                )
            continue
        for path in sorted(kind.glob("*.json")):
            yield from _file(
                path, f"{printed}/{path.name}", validator, schema, refused=kind.name == "invalid"
            )


def valid_examples(folder: Path) -> tuple[Json, ...]:
    """The records of the dataset's valid examples, file by file; a file that cannot be read has none."""
    found: list[Json] = []
    for path in sorted((folder / "examples" / "valid").glob("*.json")):
        value = read(path, str(path)).source.value
        found += value if isinstance(value, list) else [value]
    return tuple(record for record in found if isinstance(record, dict))


def _file(
    path: Path, file: str, validator: jsonschema_rs.Draft202012Validator, schema: Json, *, refused: bool
) -> Iterator[Problem]:
    parsed = read(path, file, exact=True)
    if not parsed.usable:
        by_decoder = all(problem.rule in _DECODER_RULES for problem in parsed.problems)
        yield from () if refused and by_decoder else parsed.problems
        return
    yield from parsed.problems
    source, value = parsed.source, parsed.source.value
    records = enumerate(value) if isinstance(value, list) else [(None, value)]
    if value == []:
        yield source.problem(
            Finding((), "empty-example", "The file holds no record.", "Add one, or remove the file.")
        )
    for index, record in records:
        at: Pointer = () if index is None else (index,)
        if refused == validator.is_valid(record):
            yield from _admitted(source, at) if refused else _refused(source, at, record, validator, schema)


def _admitted(source: Source, at: Pointer) -> Iterator[Problem]:
    yield source.problem(
        Finding(
            at,
            "invalid-example-admitted",
            "The record is filed as invalid, and the dataset admits it.",
            "Tighten the record schema, or file the record as valid.",
        )
    )


def _refused(
    source: Source, at: Pointer, record: Json, validator: jsonschema_rs.Draft202012Validator, schema: Json
) -> Iterator[Problem]:
    from compiler.explain import explain

    for finding in explain(validator.iter_errors(record), schema):
        yield source.problem(
            Finding(
                (*at, *finding.pointer),
                "valid-example-refused",
                f"The record is filed as valid, and the dataset refuses it: {finding.message}",
                finding.fix,
                at_key=finding.at_key,
            )
        )
