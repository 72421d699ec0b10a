"""Bodies to fuzz with: valid envelopes in every spelling, and what may be wrong with them; by seed and number."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

from tests.campaigns.sink.fuzz_dataset import LEVELS, NAME, RECORD, RECORD_SHA256
from tests.campaigns.sink.fuzz_oracle import MAX_BYTES

_TEXTS = (
    "", "a", "ä", "\u20ac", "\U0001f600", "\u0301", "\u200f", "\u2028", "'", '"', "\\", "{}", "{a,b}", '","', "NULL", "null",
    "$1", "%s", "\t", "\n", "\r", "\x7f", "\ufffd", "\\u0000", "--", "/*", "]}", "\ufeff", " ", "\u00a0", "i\u0307", "ß",
)  # fmt: skip
_NUMBERS = (
    "0", "-0", "1", "-1", "1.0", "10e-1", "1E2", "1e+2", "0.5", "0.1", "0.10", "0.125", "12.34", "-12.34", "999", "1000", "1001",
    "123456789012345678", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "12345678901234567890.123456789", "0.1000000000000000055511151231257827", "1e15", "1e16", "1e22", "1e23", "1e99", "1e100",
    "1e307", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400", "1e-99", "1e-100", "2.5e-324",
    "2.4e-324", "1e-400", "1e-16383", "1e-16384", "1e131071", "1e131072", "1e999999", "1e99999999999999999999",
    "1e-99999999999999999999", "0e400", "1" + "0" * 400, "0." + "1" * 400, "9" * 5000, "1000000", "1000000.01", "0.005",
)  # fmt: skip
_INSTANTS = (
    "2024-05-01T12:00:00Z", "2024-05-01t12:00:00z", "2024-05-01T12:00:00.123456+15:59", "2024-02-29T23:59:59-00:00",
    "2023-02-29T00:00:00Z", "2024-05-01T24:00:00Z", "2024-05-01T23:59:60Z", "2024-05-01T12:00:00", "2024-05-01 12:00:00Z",
    "2024-05-01T12:00:00.1234567Z", "2024-05-01T12:00Z", "2024-05-01", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "2024-05-01T12:00:00+16:00", "2024-05-01T12:00:00+15:60", "now", "infinity",
    "2024-05-01T12:00:00.Z", "2024-13-01T12:00:00Z", "\uff12024-05-01T12:00:00Z", "2024-05-01T12:00:00Z\n", "",
)  # fmt: skip
_DAYS = (
    "2024-02-29",
    "2023-02-29",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "2024-2-1",
    "20240201",
    "2024-04-31",
    "today",
)
_REFS = (
    "6F1F0F0E-6a53-4d0d-9c0a-0a4f3ad8e1aa", "6f1f0f0e6a534d0d9c0a0a4f3ad8e1aa", "{6f1f0f0e-6a53-4d0d-9c0a-0a4f3ad8e1aa}",
    "00000000-0000-0000-0000-000000000000", "6f1f0f0e-6a53-4d0d-9c0a-0a4f3ad8e1a", "6f1f0f0e-6a53-4d0d-9c0a-0a4f3ad8e1ag",
)  # fmt: skip


class Spelled(str):
    """JSON text that stands for itself."""

    __slots__ = ()


def body(seed: str, number: int) -> str:
    """The body of a number; always the same."""
    return _Fuzzer(random.Random(f"{seed} {number}")).body()


class _Fuzzer:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def body(self) -> str:
        chance = self._chance
        envelope: Any = {"dataset": NAME}
        if chance.random() < 0.9:
            envelope["id"] = str(UUID(int=chance.getrandbits(128)))
        if chance.random() < 0.1:
            envelope["schema"] = chance.choice(("sha256:" + "0" * 64, "", None, "mine", RECORD_SHA256))
        envelope["records"] = [self._record() for _ in range(chance.choice((1, 1, 1, 2, 3, 8)))]
        wounds = chance.choice((0, 0, 1, 1, 1, 2))
        for _ in range(wounds):
            if chance.random() < 0.6:
                envelope = self._wounded(envelope)
        text = self._spelled(envelope)
        for _ in range(wounds):
            if chance.random() < 0.4:
                text = self._scratched(text)
        return text

    # --- values -----------------------------------------------------------------------------------------------------

    def _record(self) -> dict[str, Any]:
        """Nearly always valid."""
        chance = self._chance
        record: dict[str, Any] = {
            "source": self._text(1, 12),
            "level": chance.choice(LEVELS),
            "occurred_at": f"20{chance.randrange(100):02}-0{chance.randint(1, 9)}-{chance.randint(10, 28)}T"
            f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z",
        }
        optional: dict[str, Callable[[], Any]] = {
            "value": lambda: Spelled(
                chance.choice((repr(chance.uniform(-1e6, 1e6)), repr(chance.random()), "1e22"))
            ),
            "amount": lambda: chance.choice((None, Spelled(f"{chance.uniform(-1000, 1000):.2f}"), 5)),
            "attempt": lambda: chance.choice(
                (1, 1000, Spelled("1.0"), Spelled("1e2"), chance.randint(1, 999))
            ),
            "big": lambda: chance.choice((chance.getrandbits(63), -(2**63), 2**63 - 1, 0, Spelled("-0"))),
            "flag": lambda: chance.choice((True, False, None)),
            "day": lambda: chance.choice(_DAYS[:1] + _DAYS[3:5]),
            "ref": lambda: str(UUID(int=chance.getrandbits(128))),
            "labels": lambda: {self._text(0, 4): self._plain() for _ in range(chance.randrange(5))},
            "anything": lambda: self._any(3),
        }
        record |= {name: make() for name, make in optional.items() if chance.random() < 0.4}
        return dict(chance.sample(list(record.items()), len(record)))

    def _text(self, least: int, most: int) -> str:
        text = "".join(self._chance.choices(_TEXTS, k=self._chance.randint(least, most)))
        return text[:40] or "x" * least

    def _plain(self) -> Any:
        return self._chance.choice(
            (True, False, self._text(0, 5), Spelled(self._chance.choice(_NUMBERS[:24])))
        )

    def _any(self, depth: int) -> Any:
        kind = self._chance.randrange(5 if depth else 3)
        if kind == 3:
            return [self._any(depth - 1) for _ in range(self._chance.randrange(4))]
        if kind == 4:
            return {self._text(0, 5): self._any(depth - 1) for _ in range(self._chance.randrange(4))}
        return None if kind == 2 else self._plain()

    # --- wounds to a value ------------------------------------------------------------------------------------------

    def _wounded(self, envelope: Any) -> Any:
        if not (
            isinstance(envelope, dict) and isinstance(envelope.get("records"), list) and envelope["records"]
        ):
            return envelope
        if self._chance.random() < 0.25:
            return self._wounded_envelope(dict(envelope))
        records = list(envelope["records"])
        index = self._chance.randrange(len(records))
        records[index] = self._wounded_record(records[index])
        return envelope | {"records": records}

    def _wounded_envelope(self, envelope: dict[str, Any]) -> Any:
        chance = self._chance
        origin = {"id": str(UUID(int=chance.getrandbits(128))), "position": chance.randrange(9)}
        wounds: list[Callable[[], Any]] = [
            lambda: envelope | {"dataset": chance.choice(("other", "", None, 7, NAME.upper(), NAME + "\0"))},
            lambda: envelope | {"id": chance.choice(("", "x", None, 7, "0" * 32, [envelope.get("id")]))},
            lambda: envelope | {"schema": chance.choice((7, [], {}, False))},
            lambda: envelope | {"records": chance.choice(([], {}, None, "[]", 1, envelope["records"][0]))},
            lambda: envelope | {chance.choice(("extra", "Records", "", "\0")): 1},
            lambda: {name: value for name, value in envelope.items() if name != chance.choice(list(envelope))},
            lambda: envelope["records"],
            lambda: envelope["records"][0],
            lambda: chance.choice((None, 0, "", [], {}, True, NAME, Spelled("[" * 400 + "]" * 400))),
            lambda: envelope | {"records": [json.dumps(one) for one in envelope["records"]]},
            lambda: envelope | {"records": [envelope]},
            lambda: envelope | {"records": [envelope["records"]]},
            lambda: envelope | {"records": envelope["records"][:1], "origin": origin},
            lambda: envelope | {"origin": chance.choice((origin, None, {}, origin | {"position": chance.choice((-1, 2**31, True, "0", Spelled("1.0"), Spelled("1e1")))}))},
        ]  # fmt: skip
        return chance.choice(wounds)()

    def _wounded_record(self, record: Any) -> Any:
        chance = self._chance
        if not isinstance(record, dict):
            return record
        name = chance.choice(list(RECORD["properties"]))
        deep = chance.choice((100, 500, 509, 510, 511, 512, 513, 520, 600, 1500, 20_000))
        wounds: list[Callable[[], Any]] = [
            lambda: record | {name: chance.choice((None, 7, "7", True, [], {}, [record.get(name)]))},
            lambda: record | {name: Spelled(chance.choice(_NUMBERS))},
            lambda: record | {chance.choice(("value", "amount", "big", "attempt", "anything")): Spelled(chance.choice(_NUMBERS))},
            lambda: record | {chance.choice(("labels", "anything")): {"n": Spelled(chance.choice(_NUMBERS))}},
            lambda: record | {"occurred_at": chance.choice(_INSTANTS)},
            lambda: record | {"day": chance.choice(_DAYS)},
            lambda: record | {"ref": chance.choice(_REFS)},
            lambda: record | {"source": chance.choice(("", "x" * 40, "x" * 41, "\U0001f600" * 40, "a\0b", "\0", 7))},
            lambda: record | {"level": chance.choice(("INFO", "info ", "", None, "\0"))},
            lambda: record | {chance.choice(("extra", "Source", "", "sluice_position", "a\0")): 1},
            lambda: record | {"anything": chance.choice(({"a\0": 1}, ["\0"], "\0", {"": {"": ""}}, "\\u0000"))},
            lambda: record | {"labels": {str(number): number for number in range(chance.choice((8, 9)))}},
            lambda: record | {"labels": {"a": chance.choice((None, [], {}))}},
            lambda: record | {"anything": Spelled(chance.choice((f"{'[' * deep}{']' * deep}", '{"a":' * deep + "1" + "}" * deep)))},
            lambda: record | {"anything": "x" * chance.choice((1000, MAX_BYTES - 2000, MAX_BYTES, 2 * MAX_BYTES))},
            lambda: {one: value for one, value in record.items() if one != chance.choice(list(record))},
            lambda: chance.choice((None, 7, "record", [record], [], {}, True, {"records": [record]}, json.dumps(record))),
            lambda: Spelled(self._spelled(record) + "," + self._spelled(record)),
        ]  # fmt: skip
        return chance.choice(wounds)()

    # --- spelling ---------------------------------------------------------------------------------------------------

    def _spelled(self, value: Any) -> str:
        """JSON in one of its many spellings, characters that SQS does not take always escaped."""
        space = self._chance.choice(("", "", "", " ", "\n\t", "\r"))
        escapes = self._chance.random() < 0.3
        return self._write(value, space, escapes=escapes)

    def _write(self, value: Any, space: str, *, escapes: bool) -> str:
        if isinstance(value, Spelled):
            return str(value)
        if isinstance(value, dict):
            pairs = (
                f"{self._write(name, space, escapes=escapes)}{space}:{self._write(each, space, escapes=escapes)}"
                for name, each in value.items()
            )
            return "{" + f"{space},".join(pairs) + space + "}"
        if isinstance(value, list):
            return (
                "["
                + f"{space},{space}".join(self._write(each, space, escapes=escapes) for each in value)
                + "]"
            )
        return json.dumps(value, ensure_ascii=escapes)

    # --- scratches in a text ----------------------------------------------------------------------------------------

    def _scratched(self, text: str) -> str:
        chance = self._chance
        place = chance.randrange(len(text) + 1)
        number = chance.choice(_NUMBERS)
        scratches: list[Callable[[], str]] = [
            lambda: text[:place],
            lambda: text[place:],
            lambda: text[:place] + text[place + chance.randint(1, 5) :],
            lambda: text[:place] + chance.choice('{}[]",:\\0-.eE tfn\t\'/') + text[place:],
            lambda: text[:place] + text[place : place + 30] + text[place:],
            lambda: text[:place] + _flipped(text[place : place + 1], 1 << chance.randrange(7)) + text[place + 1 :],
            lambda: "\ufeff" + text,
            lambda: text + chance.choice((" ", "\n", "\0x"[1:], text, "null", ",", "}", "\u00a0", "\x7f")),
            lambda: chance.choice((" \t\r\n", "\u2028", "//x\n", ",", "[")) + text,
            lambda: text.replace('"level":', '"level":' + chance.choice(("NaN,", "Infinity,", "-Infinity,", "01,", "+1,", ".5,", "1.,", "0x1,", "'info',")), 1),
            lambda: text.replace('":', '":' + chance.choice(("NaN", "-Infinity", "nan", "undefined", "True", "None", "")), 1),
            lambda: text.replace('"source":"', '"source":"' + chance.choice(("\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "\\u0000", "\\x41", "\t", "\\")), 1),
            lambda: text.replace('{"source"', '{"source":' + chance.choice(("7", '"first"', "null")) + ',"source"', 1),
            lambda: text.replace('"records":', '"records":' + chance.choice(("[]", "null", "[7]")) + ',"records":', 1),
            lambda: text.replace('"level":', f'"value":{number},"level":', 1),
            lambda: text.replace("]}", ",]}", 1),
            lambda: text.replace('"', "'"),
            lambda: "[" * place + "]" * place if place % 7 == 0 and not 350 < place < 1500 else text[:-1],
        ]  # fmt: skip
        return chance.choice(scratches)()


def _flipped(character: str, bit: int) -> str:
    """Another character; only such as SQS takes."""
    flipped = chr(ord(character) ^ bit) if character else ""
    return flipped if flipped.isprintable() or flipped in "\t\n\r" else character
