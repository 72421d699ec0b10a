"""Does a record schema admit whatever an earlier one admitted? Decided by meaning, never by comparing texts.

Two things answer. A proof over both schemas (jsonschema-rs: does the new one cover the old one?) says yes, no or unknown.
A search among records near the limits of both says no where it finds one that the old validator admits and the new one
refuses; a record that was found outweighs the proof. A property that is no longer declared stays unknown although such a
record exists: only its author knows whether one was ever sent.

    verdict   proof     search
    NO        any       a record is refused for another reason than a property that is gone
    NO        no        whatever is found
    UNKNOWN   unknown   nothing, or only records with a property that is gone
    YES       yes       nothing
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import jsonschema_rs
from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind
from jsonschema_rs.canonical import CanonicalizationError, Containment

from compiler.canonical import Json, JsonDocument, canonical
from compiler.explain import explain
from compiler.problems import Pointer
from compiler.record.alike import Apart
from compiler.record.candidates import candidates
from compiler.record.changes import ITEM, SchemaChange, optional_removed, place_of, schema_changes
from compiler.record.meaning import comparable

_MOST_REFUSED = 4_000
_LONGEST_SHOWN = 60
_NUL = b"\\u0000"  # as JSON writes it

_Key = tuple[Pointer, str]  # where a record is refused, and by which keyword


class Verdict(StrEnum):
    """Whether every record that the old schema admits is admitted by the new one."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sample:
    """A record that one schema admits and the other refuses, by both validators' word, and why the other does.

    `pointer` leads to the value that is refused, items of lists being 0; `gone`: it is refused for nothing but a property
    that is no longer declared.
    """

    record: JsonDocument
    pointer: Pointer
    why: str
    gone: bool = False

    def __str__(self) -> str:
        return f"{place_of(self.pointer)}: {self.why}" if self.pointer else self.why


@dataclass(frozen=True)
class Compatibility:
    """What became of the records. `refused` are samples of those refused now, `admitted` of those admitted now only.

    `proof` is the answer without any sample; `widens` says whether more is admitted than before.
    """

    verdict: Verdict
    proof: Verdict
    widens: Verdict
    changes: tuple[SchemaChange, ...]
    refused: tuple[Sample, ...]
    admitted: tuple[Sample, ...]


def compare(old: JsonDocument, new: JsonDocument, known: Sequence[Json] = ()) -> Compatibility:
    """Judge the step between two effective schemas; `known` are records to look among first, such as examples."""
    apart = Apart.of(comparable(old), comparable(new))
    before, after = _Side(old, apart), _Side(new, apart)
    changes = schema_changes(before.schema, after.schema)
    gone = optional_removed(changes)
    rest = [apart.rest(record) for record in known]
    refused = _samples(before, after, rest, gone)
    admitted = _samples(after, before, rest, set())
    proof = _covers(after, before)
    return Compatibility(
        verdict=_verdict(proof, refused),
        proof=proof,
        widens=Verdict.YES if admitted else _widens(_covers(before, after)),
        changes=changes,
        refused=refused,
        admitted=admitted,
    )


@dataclass(frozen=True)
class _Side:
    """A schema as it is, and as it is compared; what is set apart is in neither the validator nor `schema`."""

    whole: JsonDocument
    apart: Apart

    @cached_property
    def document(self) -> Json:
        return self.whole.value

    @cached_property
    def schema(self) -> Json:
        return self.apart.without(comparable(self.whole))

    @cached_property
    def validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema, validate_formats=True)

    @cached_property
    def canonical(self) -> jsonschema_rs.CanonicalSchema | None:
        try:
            return jsonschema_rs.canonicalize(self.schema, validate_formats=True, offline=True)
        except CanonicalizationError:
            return None


def _covers(wide: _Side, narrow: _Side) -> Verdict:
    if wide.canonical is None or narrow.canonical is None:
        return Verdict.UNKNOWN
    answer = wide.canonical.covers(narrow.canonical)
    if answer == Containment.YES:
        return Verdict.YES
    return Verdict.NO if answer == Containment.NO else Verdict.UNKNOWN


def _verdict(proof: Verdict, refused: Sequence[Sample]) -> Verdict:
    if not refused:
        return proof
    only_gone = all(sample.gone for sample in refused)
    return Verdict.UNKNOWN if only_gone and proof is Verdict.UNKNOWN else Verdict.NO


def _widens(covered: Verdict) -> Verdict:
    return {Verdict.YES: Verdict.NO, Verdict.NO: Verdict.YES}.get(covered, Verdict.UNKNOWN)


def _samples(admits: _Side, refuses: _Side, known: Sequence[Json], gone: set[Pointer]) -> tuple[Sample, ...]:
    """One record for each place and keyword that refuses one: that with the fewest other errors, then the shortest."""
    best: dict[_Key, tuple[int, int]] = {}
    chosen: dict[_Key, Json] = {}
    for record, length in _told_apart(admits, refuses, known):
        keys = {_key(error) for error in refuses.validator.iter_errors(record)}
        cost = len(keys), length
        for key in keys:
            if key not in best or cost < best[key]:
                best[key], chosen[key] = cost, record
    found = (_sample(key, chosen[key], refuses, gone) for key in sorted(chosen, key=str))
    return tuple({(sample.pointer, sample.why): sample for sample in found}.values())


def _told_apart(admits: _Side, refuses: _Side, known: Sequence[Json]) -> Iterator[tuple[Json, int]]:
    """Records, each once, that one side admits and the other refuses, with the length of their text.

    Neither validator knows of U+0000 any more (`comparable`); the decoder refuses it, so such a record shows nothing.
    """
    met: set[bytes] = set()
    by_property = admits.apart.by_property
    tried = candidates(
        admits.schema, refuses.schema, admits.validator.is_valid, known, by_property=by_property
    )
    for record in tried:
        if refuses.validator.is_valid(record) or (text := canonical(record)) in met or _NUL in text:
            continue
        met.add(text)
        yield record, len(text)
        if len(met) == _MOST_REFUSED:
            return


def _sample(key: _Key, record: Json, refuses: _Side, gone: set[Pointer]) -> Sample:
    errors = list(refuses.validator.iter_errors(record))
    finding = explain((error for error in errors if _key(error) == key), refuses.document, fixes=False)[0]
    pointer = _generic(finding.pointer)
    only_gone = bool(gone) and gone.issuperset(_undeclared(errors))
    return Sample(JsonDocument.of(refuses.apart.completed(record)), pointer, finding.message, only_gone)


def _undeclared(errors: Iterable[ValidationError]) -> Iterator[Pointer | None]:
    """Where a key is refused; None for an error of another kind."""
    for error in errors:
        at = _generic(error.instance_path)
        match error.kind:
            case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
                yield from ((*at, name) for name in names)
            case Kind.FalseSchema():
                yield at
            case _:
                yield None


def _key(error: ValidationError) -> _Key:
    at = _generic(error.instance_path)
    match error.kind:
        case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
            return (*at, *sorted(names)), error.kind.name
        case Kind.Required(name):
            return (*at, name), error.kind.name
        case kind:
            return at, kind.name


def _generic(path: Iterable[str | int]) -> Pointer:
    return tuple(ITEM if isinstance(step, int) else step for step in path)


def shown(value: Json) -> str:
    """A record as JSON for people: long texts are cut, with their length."""
    return json.dumps(_cut(value), ensure_ascii=False, sort_keys=True)


def _cut(value: Json) -> Json:
    match value:
        case str() if len(value) > _LONGEST_SHOWN:
            return f"{value[:_LONGEST_SHOWN]}… ({len(value):,} characters)"
        case list():
            return [_cut(item) for item in value]
        case dict():
            return {name: _cut(item) for name, item in value.items()}
        case _:
            return value
