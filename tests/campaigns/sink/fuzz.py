"""`python -m tests.campaigns.sink.fuzz`: fuzzed bodies through a whole sink, each judged by an oracle of the campaign's own.

    python -m tests.campaigns.sink.fuzz --bodies 100000

By seed and in chunks. After each: the invalid records and bodies are in the dead-letter queue, as they came and with a
right reason, and nothing else is; the valid ones are rows that read back equal, as a whole and column by column.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError, ParamValidationError

from tests.campaigns.sink import strict_json
from tests.campaigns.sink.fuzz_bodies import body
from tests.campaigns.sink.fuzz_dataset import fuzzed
from tests.campaigns.sink.fuzz_oracle import MAX_BYTES, MAX_DEPTH, Judged, Verdict, judge
from tests.campaigns.sink.results import Figures, Results, exit_code, parser
from tests.campaigns.sink.stage import direct, staged
from tests.faults.rig import Rig

CHUNK = 2000
CALL_BYTES = 900_000
_SHOWN = 5
_COLUMNS = "source, level, occurred_at, value, amount, attempt, big, flag, day, ref, labels::text, anything::text, record::text"
_PLAIN = ("source", "level", "amount", "attempt", "big", "flag")


@dataclass(frozen=True)
class Sent:
    """A body that SQS took."""

    number: int
    text: str
    message_id: str
    verdict: Verdict

    @property
    def identity(self) -> str:
        return self.verdict.identity or self.message_id


class Fuzzing:
    """A sink that runs, and chunks of bodies for it."""

    def __init__(self, rig: Rig, seed: str) -> None:
        self._rig = rig
        self._seed = seed

    def chunk(self, numbers: range) -> Figures:
        rig = self._rig
        sent: list[Sent] = []
        refused = 0
        for texts in _calls((number, body(self._seed, number)) for number in numbers):
            taken = self._send(texts)
            refused += len(texts) - len(taken)
            sent += taken
        rig.deployment.await_drained()
        letters = self._letters()
        rows = rig.store.fetch(
            f"SELECT sluice_message_id, sluice_position, {_COLUMNS} FROM datasets.{rig.store.plan.relation}"
        )
        rig.store.execute(f"TRUNCATE datasets.{rig.store.plan.relation}")
        problems, reasons = [*_check_letters(sent, letters), *_check_rows(sent, rows)], Counter()
        for letter in letters:
            reasons[_reason(letter)] += 1
        return {
            "bodies": len(numbers),
            "not_taken_by_sqs": refused,
            "rows": len(rows),
            "letters": len(letters),
            "reasons": dict(sorted(reasons.items())),
            "problems": problems[:_SHOWN],
            "problems_in_all": len(problems),
        }

    def _send(self, texts: list[tuple[int, str]]) -> list[Sent]:
        """Those that SQS took: it refuses an empty body, and characters that XML does not have."""
        entries = [{"Id": str(index), "MessageBody": text} for index, (_, text) in enumerate(texts)]
        try:
            answer = self._rig.deployment.sqs.send_message_batch(
                QueueUrl=self._rig.deployment.buffer, Entries=entries
            )
        except (ClientError, ParamValidationError):
            if len(texts) == 1:
                return []
            return [one for single in texts for one in self._send([single])]
        found = []
        for one in answer.get("Successful", ()):
            number, text = texts[int(one["Id"])]
            found.append(Sent(number, text, one["MessageId"], judge(text)))
        return found

    def _letters(self) -> list[dict[str, Any]]:
        deployment, found = self._rig.deployment, []
        while deployment.counts(deployment.dead_letter) != (0, 0):
            messages = deployment.sqs.receive_message(
                QueueUrl=deployment.dead_letter, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            ).get("Messages", ())
            found += messages
            if messages:
                entries = [
                    {"Id": str(index), "ReceiptHandle": one["ReceiptHandle"]}
                    for index, one in enumerate(messages)
                ]
                deployment.sqs.delete_message_batch(QueueUrl=deployment.dead_letter, Entries=entries)
        return found


def _calls(texts: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    call: list[tuple[int, str]] = []
    size = 0
    for number, text in texts:
        length = len(text.encode())
        if call and (len(call) == 10 or size + length > CALL_BYTES):
            yield call
            call, size = [], 0
        call.append((number, text))
        size += length
    if call:
        yield call


def _reason(letter: dict[str, Any]) -> str:
    return (letter.get("MessageAttributes") or {}).get("reason", {}).get("StringValue", "redriven")


# --- dead letters ---------------------------------------------------------------------------------------------------


def _check_letters(sent: list[Sent], letters: list[dict[str, Any]]) -> Iterator[str]:
    """Each letter belongs to one expectation, by the body as it came or by its record's identity."""
    wholes: dict[str, list[tuple[Sent, frozenset[str], int]]] = {}
    records: dict[tuple[str, int], tuple[Sent, Judged]] = {}
    for one in sent:
        if one.verdict.whole:
            wholes.setdefault(one.text, []).append((one, one.verdict.whole, 1))
        bad = [judged for judged in one.verdict.records if judged.reasons]
        records |= {(one.identity, judged.position): (one, judged) for judged in bad}
    for letter in letters:
        text = letter["Body"]
        if expected := wholes.get(text):
            one, reasons, _ = expected.pop()
            if not expected:
                del wholes[text]
            if _reason(letter) not in reasons:
                yield f"body {one.number}: {_reason(letter)}, not {sorted(reasons)}"
            continue
        yield from _check_record_letter(letter, records)
    yield from (f"body {one.number}: no letter" for left in wholes.values() for one, _, _ in left)
    yield from (f"body {one.number}: no letter for {judged.position}" for one, judged in records.values())


def _check_record_letter(
    letter: dict[str, Any], records: dict[tuple[str, int], tuple[Sent, Judged]]
) -> Iterator[str]:
    text = letter["Body"]
    try:
        envelope = strict_json.read(text).value
        origin = envelope["origin"]
        one, judged = records.pop((origin["id"], int(origin["position"])))
    except (strict_json.NotJsonError, KeyError, TypeError):
        yield f"a letter that nothing explains: {_reason(letter)} {text[:200]!r}"
        return
    if _reason(letter) not in judged.reasons:
        yield f"body {one.number} at {judged.position}: {_reason(letter)}, not {sorted(judged.reasons)}"
    if not _same(envelope["records"], [judged.value]):
        yield f"body {one.number} at {judged.position}: the letter holds another record"


# --- rows -----------------------------------------------------------------------------------------------------------


def _check_rows(sent: list[Sent], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    expected = {
        (one.identity, judged.position): (one, judged)
        for one in sent
        for judged in one.verdict.records
        if not judged.reasons
    }
    for message_id, position, *values in rows:
        found = expected.pop((str(message_id), position), None)
        if found is None:
            yield f"a row that nothing explains: {message_id} {position}"
            continue
        one, judged = found
        yield from (
            f"body {one.number} at {position}: {name} is {value!r}"
            for name, value in _differences(judged.value, values)
        )
    yield from (f"body {one.number}: no row for {judged.position}" for one, judged in expected.values())


def _differences(record: dict[str, Any], values: list[Any]) -> Iterator[tuple[str, Any]]:
    """The columns that do not say what the record says."""
    names = [name.removesuffix("::text") for name in _COLUMNS.split(", ")]
    for name, value in zip(names, values, strict=True):
        wanted = record if name == "record" else record.get(name)
        if wanted is None and value is None:
            continue
        if value is None or not _is_stored(name, wanted, value):
            yield name, value


def _is_stored(name: str, wanted: Any, value: Any) -> bool:
    match name:
        case "occurred_at":
            return datetime.fromisoformat(wanted.upper()) == value
        case "day":
            return date.fromisoformat(wanted) == value
        case "ref":
            return UUID(wanted) == value
        case "value":
            return float(wanted) == value
        case "labels" | "anything" | "record":
            return _same(strict_json.read(value).value, wanted)
    return type(wanted) in (str, bool, Decimal) and value == wanted


def _same(found: Any, wanted: Any) -> bool:
    """JSON equality, without recursion: a record may be as deep as the plan lets it be."""
    pairs = [(found, wanted)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs += [(one[name], other[name]) for name in one]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif type(one) is not type(other) or one != other:
            return False
    return True


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--bodies", type=int, default=100_000)
    options.add_argument("--chunk", type=int, default=CHUNK)
    found = options.parse_args()
    results = Results("fuzz", found.folder)
    plan = {"max_message_bytes": MAX_BYTES, "max_depth": MAX_DEPTH, "max_receive_count": 2}
    with ExitStack() as stack:
        rig = stack.enter_context(staged(fuzzed(), publish_events=False, **plan))
        rig.start(**direct(rig))
        fuzzing = Fuzzing(rig, str(found.seed))
        lines = []
        for first in range(0, found.bodies, found.chunk):
            numbers = range(first, min(first + found.chunk, found.bodies))
            key = f"bodies {numbers.start} to {numbers.stop - 1}, seed {found.seed}"
            lines.append(results.part(key, partial(fuzzing.chunk, numbers)))
        return exit_code(lines)


if __name__ == "__main__":
    sys.exit(main())
