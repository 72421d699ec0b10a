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
from functools import cached_property, lru_cache

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
    before, after = (JsonDocument.of(apart.without(comparable(one)), finite=True) for one in (old, new))
    rest = JsonDocument.of([apart.rest(record) for record in known])
    step = _step(before, after, rest, by_property=apart.by_property)
    refused = _samples(step.refused, new, apart)
    admitted = _samples(step.admitted, old, apart)
    return Compatibility(
        verdict=_verdict(step.proof, refused),
        proof=step.proof,
        widens=step.widens,
        changes=step.changes,
        refused=refused,
        admitted=admitted,
    )


@dataclass(frozen=True)
class _Refusal:
    """A record that one side alone admits, and the other side's errors of one kind; `gone` as in `Sample`."""

    record: Json
    errors: tuple[ValidationError, ...]
    gone: bool


@dataclass(frozen=True)
class _Step:
    """What is found between two schemas."""

    changes: tuple[SchemaChange, ...]
    refused: tuple[_Refusal, ...]
    admitted: tuple[_Refusal, ...]
    proof: Verdict
    widens: Verdict


@lru_cache(maxsize=256)  # many datasets may take one step at once: what they share with before is set apart
def _step(old: JsonDocument, new: JsonDocument, known: JsonDocument, *, by_property: bool) -> _Step:
    before, after = _Side(old.value, by_property), _Side(new.value, by_property)
    changes = schema_changes(before.schema, after.schema)
    admitted = _refusals(after, before, known.value, set())
    return _Step(
        changes,
        refused=_refusals(before, after, known.value, optional_removed(changes)),
        admitted=admitted,
        proof=_covers(after, before),
        widens=Verdict.YES if admitted else _widens(_covers(before, after)),
    )


@dataclass(frozen=True)
class _Side:
    """One schema, without what is set apart; `by_property` as in `Apart`."""

    schema: Json
    by_property: bool

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


def _samples(found: Sequence[_Refusal], by: JsonDocument, apart: Apart) -> tuple[Sample, ...]:
    """The records, each whole and with why the schema refuses it; one for each place and reason."""
    if not found:
        return ()
    schema = by.value
    samples = (_sample(one, schema, apart) for one in found)
    return tuple({(sample.pointer, sample.why): sample for sample in samples}.values())


def _sample(refusal: _Refusal, schema: Json, apart: Apart) -> Sample:
    finding = explain(refusal.errors, schema, fixes=False)[0]
    record = JsonDocument.of(apart.completed(refusal.record))
    return Sample(record, _generic(finding.pointer), finding.message, refusal.gone)


def _refusals(
    admits: _Side, refuses: _Side, known: Sequence[Json], gone: set[Pointer]
) -> tuple[_Refusal, ...]:
    """One record for each place and keyword that refuses one: that with the fewest other errors, then the shortest."""
    best: dict[_Key, tuple[int, int]] = {}
    chosen: dict[_Key, Json] = {}
    for record, length in _told_apart(admits, refuses, known):
        keys = {_key(error) for error in refuses.validator.iter_errors(record)}
        cost = len(keys), length
        for key in keys:
            if key not in best or cost < best[key]:
                best[key], chosen[key] = cost, record
    return tuple(_refusal(key, chosen[key], refuses, gone) for key in sorted(chosen, key=str))


def _refusal(key: _Key, record: Json, refuses: _Side, gone: set[Pointer]) -> _Refusal:
    errors = list(refuses.validator.iter_errors(record))
    only_gone = bool(gone) and gone.issuperset(_undeclared(errors))
    return _Refusal(record, tuple(error for error in errors if _key(error) == key), only_gone)


def _told_apart(admits: _Side, refuses: _Side, known: Sequence[Json]) -> Iterator[tuple[Json, int]]:
    """Records, each once, that one side admits and the other refuses, with the length of their text.

    Neither validator knows of U+0000 any more (`comparable`); the decoder refuses it, so such a record shows nothing.
    """
    met: set[bytes] = set()
    tried = candidates(
        admits.schema, refuses.schema, admits.validator.is_valid, known, by_property=admits.by_property
    )
    for record in tried:
        if refuses.validator.is_valid(record) or (text := canonical(record)) in met or _NUL in text:
            continue
        met.add(text)
        yield record, len(text)
        if len(met) == _MOST_REFUSED:
            return


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
