"""Message -> delivery: which of its records the effective schema admits, and why the others are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from itertools import compress, repeat
from uuid import UUID, uuid5

import jsonschema_rs

from sink_runtime.plan import PlanColumn, SinkPlan
from sink_runtime.records import decoder
from sink_runtime.records.decoder import Json
from sink_runtime.records.delivery import Delivery, Refused
from sink_runtime.records.encoder import encode
from sink_runtime.records.envelope import UUID_TEXT, Envelope, Origin, is_letter, open_envelope
from sink_runtime.records.reasons import Reason, RejectedError, Rejection
from sink_runtime.records.schema import EffectiveSchema
from sink_runtime.sqs.queue import Received, instant_text

_TEXT_CHARACTERS = 200  # of a schema's own words in a rejection
# Particulars of a broken rule that come from the schema; and names of unexpected fields, which come from the record.
_SCHEMA_WORDS = frozenset({"limit", "property", "format", "pattern", "multiple_of", "types"})
_FIELD_NAMES = frozenset({"unexpected"})
_NOT_OF_A_MESSAGE = (MemoryError, KeyboardInterrupt, SystemExit)  # the sink ends, and the message comes again
_TOGETHER = 50  # messages: an unusual one costs these others a second look, and five answers are enough to spread one over
_HEX = b"0123456789abcdef"
_DASHES = (8, 13, 18, 23)  # their places in a uuid
_new = tuple.__new__
_ONE = range(1)  # the places of a body's only record


class Admission:
    """The plan's gatekeeper; made once, since it compiles the schema. For any number of threads.

    `trusted` are the role ids (the part of a SenderId before the colon) whose dead letters' claims of an earlier sender
    and instant are believed: the sink's own, which wrote them, and the operator's.
    """

    def __init__(self, plan: SinkPlan, trusted: Collection[str] = ()) -> None:
        self._plan = plan
        self._trusted = frozenset(trusted)
        self._schema = EffectiveSchema(plan)
        self._doubles = _properties(plan, lambda column: column.type == "double precision")
        self._confidential = _properties(plan, lambda column: column.confidential)

    def read_all(self, messages: Sequence[Received]) -> list[Delivery]:
        """As `read`, each of the messages: what has nothing unusual in it is decided together, for a fraction of the cost."""
        deliveries: list[Delivery] = []
        for start in range(0, len(messages), _TOGETHER):
            deliveries += self._read_some(messages[start : start + _TOGETHER])
        return deliveries

    def _read_some(self, messages: Sequence[Received]) -> list[Delivery]:
        """In halves where there is something unusual among them, so that the others keep to the fast way."""
        found = self._read_together(messages)
        if found is not None:
            return found
        if len(messages) == 1:
            return [self.read(messages[0])]
        middle = len(messages) // 2
        return self._read_some(messages[:middle]) + self._read_some(messages[middle:])

    def _read_together(self, messages: Sequence[Received]) -> list[Delivery] | None:
        plan = self._plan
        bodies = [message.body for message in messages]
        try:
            values = decoder.decode_plain(bodies, plan.max_message_bytes, plan.max_depth)
            return None if values is None else self._judge_together(messages, values)
        except _NOT_OF_A_MESSAGE:
            raise
        except BaseException:  # noqa: BLE001 - `read` finds the one with the defect
            return None

    def _judge_together(self, messages: Sequence[Received], values: list[Json]) -> list[Delivery]:
        if self._plan.buffer_format != "record":
            return [
                self.read(message, (value, False)) for message, value in zip(messages, values, strict=True)
            ]
        if self._are_bare(values):
            return self._bare(messages)
        good = [self._are_bare([value]) for value in values]
        bare = iter(self._bare(list(compress(messages, good))))
        return [
            next(bare) if is_good else self.read(message, (value, False))
            for message, value, is_good in zip(messages, values, good, strict=True)
        ]

    def _are_bare(self, values: list[Json]) -> bool:
        """Whether each is one ordinary record."""
        return not any(map(is_letter, values, repeat(self._plan))) and self._schema.are_ordinary(values)

    def _bare(self, messages: Sequence[Received]) -> list[Delivery]:
        """What bodies brought that are one admitted record each: they go as they came, since all of each was parsed."""
        if not messages:
            return []
        ids, _, bodies, sent, senders, *_ = zip(*messages, strict=True)
        sent_texts = {moment: instant_text(moment) for moment in set(sent)}
        columns = zip(
            messages,
            ids if _are_usual(ids) else map(self._message_identity, messages),
            map(sent_texts.__getitem__, sent),
            senders,
            repeat(None),
            bodies,
            repeat(_ONE),
            repeat(_ONE),
            repeat(()),
            repeat(1),
            [2 * len(body) for body in bodies],
            strict=False,
        )
        # As Delivery(...) makes them, without a call of Python's for each.
        return list(map(_new, repeat(Delivery), columns))

    def read(self, message: Received, decoded: tuple[Json, bool] | None = None) -> Delivery:
        """Decode, open and judge one message; nothing is raised for what it holds. `decoded` as `decoder.decode` has it."""
        plan = self._plan
        try:
            value, inspect = decoded or decoder.decode(message.body, plan.max_message_bytes, plan.max_depth)
            records, envelope = open_envelope(value, plan)
            return self._judge(message, records, envelope, inspect=inspect)
        except RejectedError as error:
            return self._rejected_whole(message, error.rejection)
        except _NOT_OF_A_MESSAGE:
            raise
        except BaseException as error:  # noqa: BLE001 - a defect that one message finds (a panic of Rust's is no Exception) must not stop all others
            return self._rejected_whole(message, Rejection(Reason.UNREADABLE, type(error).__name__))

    def _rejected_whole(self, message: Received, rejection: Rejection) -> Delivery:
        identity = self._message_identity(message)
        refused = (Refused(None, 0, rejection),)
        return Delivery(
            message,
            identity,
            message.sent_text,
            message.sender,
            None,
            b"",
            (),
            (),
            refused,
            1,
            len(message.body),
        )

    def _judge(
        self, message: Received, records: list[Json], envelope: Envelope, *, inspect: bool
    ) -> Delivery:
        refused: Sequence[Refused] = ()
        indexes: Sequence[int] = range(len(records))
        if inspect or not self._schema.are_ordinary(records):
            indexes, refused = self._sorted_out(records, envelope)
        payload = _payload(message, records, envelope, indexes)
        identity, positions, sent_text, sender = envelope.id, indexes, message.sent_text, message.sender
        if origin := envelope.origin:
            identity, positions = origin.id, (origin.position,) * len(indexes)
            sent_text, sender = self._attribution(message, origin)
        return Delivery(  # by position: names cost as much again
            message,
            identity or self._message_identity(message),
            sent_text,
            sender,
            envelope.schema,
            payload,
            positions,
            indexes,
            refused,
            len(records),
            len(message.body) + len(payload),
        )

    def _sorted_out(self, records: list[Json], envelope: Envelope) -> tuple[tuple[int, ...], list[Refused]]:
        indexes, refused = [], []
        kept: dict[Rejection, Rejection] = {}  # thousands of records are often refused for one reason
        for index, record in enumerate(records):
            if self._fault(record) is None and self._schema.admits(record):
                indexes.append(index)
            else:
                why = self._why(record, envelope)
                refused.append(Refused(index, _position(envelope, index), kept.setdefault(why, why)))
        return tuple(indexes), refused

    def _attribution(self, message: Received, origin: Origin) -> tuple[str, str]:
        """When and by whom the records were sent. Anyone may write an `origin`: it is believed of trusted roles only."""
        if origin.sender and origin.sent_at and message.sender.partition(":")[0] in self._trusted:
            return origin.sent_at, origin.sender
        return message.sent_text, message.sender

    def _message_identity(self, message: Received) -> str:
        """The MessageId, which SQS makes as a uuid; any other service's becomes one."""
        if UUID_TEXT.fullmatch(message.message_id):
            return message.message_id.lower()
        return str(uuid5(UUID(self._plan.dataset_uuid), message.message_id))

    def _fault(self, record: Json) -> Rejection | None:
        return decoder.fault_of(record, self._plan.max_depth) or self._double_fault(record)

    def _double_fault(self, record: Json) -> Rejection | None:
        """A number that its double precision column would turn into zero or infinity."""
        for name in sorted(self._doubles) if isinstance(record, dict) else ():
            value = record.get(name)
            if isinstance(value, Decimal) and not _is_double(value):
                text = "a double would make it zero or infinity"
                return Rejection(Reason.NUMBER_OUT_OF_RANGE, text, pointer=_pointer([name]))
        return None

    def _why(self, record: Json, envelope: Envelope) -> Rejection:
        fault = self._fault(record)
        if fault:
            return fault
        known = not envelope.schema or envelope.schema in self._plan.schemas
        reason = Reason.SCHEMA_VIOLATION if known else Reason.SCHEMA_UNKNOWN
        try:
            error = min(self._schema.iter_errors(record), key=lambda error: len(error.instance_path))
        except ValueError:  # an error holds the value, and Python makes no int of over 4,300 digits
            return Rejection(reason, "a number of over 4,300 digits is not admitted")
        return Rejection(reason, self._rule(error), _pointer(self._shown(error.instance_path)))

    def _rule(self, error: jsonschema_rs.ValidationError) -> str:
        """The broken rule in the schema's own words, which hold nothing of the record but names of its fields."""
        words = _SCHEMA_WORDS if self._is_confidential(error.instance_path) else _SCHEMA_WORDS | _FIELD_NAMES
        particulars = sorted(error.kind.as_dict().items())
        told = ", ".join(f"{name}: {value}" for name, value in particulars if name in words)
        return f"{error.kind.name} ({told})"[:_TEXT_CHARACTERS] if told else error.kind.name

    def _shown(self, path: list[str | int]) -> list[str | int]:
        """The path as far as it may be told: keys within a confidential column are its values."""
        return path[:1] if self._is_confidential(path) else path

    def _is_confidential(self, path: list[str | int]) -> bool:
        return bool(path) and path[0] in self._confidential


def _payload(message: Received, records: list[Json], envelope: Envelope, indexes: Sequence[int]) -> bytes:
    """The admitted records' text. A bare record that is whole goes as it came, since all of its body was parsed."""
    if envelope.is_bare and indexes:
        return message.body
    chosen = records if len(indexes) == len(records) else [records[index] for index in indexes]
    return encode(chosen)[1:-1]


def _are_usual(ids: Sequence[str]) -> bool:
    """Whether ids are uuids as SQS writes them, by a few looks at all of them at once."""
    text = "".join(ids)
    if not text.isascii() or set(map(len, ids)) != {36}:
        return False
    is_dashed = all(text[place::36] == "-" * len(ids) for place in _DASHES)
    return is_dashed and text.encode().translate(None, _HEX) == b"----" * len(ids)


def _position(envelope: Envelope, index: int) -> int:
    return envelope.origin.position if envelope.origin else index


def _properties(plan: SinkPlan, wanted: Callable[[PlanColumn], bool]) -> frozenset[str]:
    """The JSON names of the wanted columns that come from a property."""
    prefix = "property:"
    found = (column.source for column in plan.columns if wanted(column) and column.source.startswith(prefix))
    return frozenset(source.removeprefix(prefix) for source in found)


def _is_double(number: Decimal) -> bool:
    value = float(number)
    return not math.isinf(value) and bool(value) == bool(number)


def _pointer(path: list[str | int]) -> str:
    """An RFC 6901 pointer; empty for the record itself."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
