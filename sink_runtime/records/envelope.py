"""JSON value -> envelope: which records a body carries, and what it says of them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

from sink_runtime.plan import SinkPlan
from sink_runtime.records.decoder import Json
from sink_runtime.records.reasons import Reason, RejectedError

UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_FIELDS = frozenset({"dataset", "id", "schema", "records", "origin"})


class Origin(NamedTuple):
    """The identity that a dead-lettered record had, kept when it is sent again; and what the letter claims of its first
    sender and instant, None where that is no claim that a sink would write.
    """

    id: str
    position: int
    sent_at: str | None = None
    sender: str | None = None


class Envelope(NamedTuple):
    """What a body says of its records. `id` is the producer's own batch id, `schema` the hash it built against, `origin`
    a dead letter's; each may be absent. `is_bare`: the body is the one record itself.
    """

    id: str | None = None
    schema: str | None = None
    origin: Origin | None = None
    is_bare: bool = False


_BARE = Envelope(is_bare=True)
_PLAIN = Envelope()


def open_envelope(value: Json, plan: SinkPlan) -> tuple[list[Json], Envelope]:
    """The records of a decoded body, and its envelope. Raises RejectedError where it is none, or is another dataset's.

    With `buffer_format` "record" a body is one bare record; a dead letter of this dataset is an envelope there too,
    so that it can be sent again.
    """
    if is_bare(value, plan):
        return [value], _BARE
    if not isinstance(value, dict) or "dataset" not in value or "records" not in value:
        raise _refusal("an envelope is an object with `dataset` and `records`")
    if value["dataset"] != plan.dataset:
        raise RejectedError(Reason.WRONG_DATASET, f"the envelope is not for {plan.dataset}")
    if len(value) == 2:  # nothing else is in it, as nearly always
        return _records(value["records"]), _PLAIN
    if unknown := value.keys() - _FIELDS:
        raise _refusal(f"an envelope has no field {min(unknown)[:64]!r}")
    records = _records(value["records"])
    return records, Envelope(
        id=_uuid(value["id"], "id") if "id" in value else None,
        schema=_schema(value.get("schema")),
        origin=_origin(value["origin"], records) if "origin" in value else None,
    )


def is_bare(value: Json, plan: SinkPlan) -> bool:
    """Whether a body's value is one bare record, with no envelope around it."""
    return plan.buffer_format == "record" and not is_letter(value, plan)


def is_letter(value: Json, plan: SinkPlan) -> bool:
    """Whether a body's value is one of this dataset's dead letters: an envelope, with `buffer_format` "record" too."""
    if not isinstance(value, dict) or "origin" not in value or "records" not in value:
        return False
    return bool(value.get("dataset") == plan.dataset)


def _records(value: Json) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _refusal("`records` is not an array of at least one record")
    return value


def _uuid(value: Json, name: str) -> str:
    if not isinstance(value, str) or not UUID_TEXT.fullmatch(value):
        raise _refusal(f"`{name}` is not a uuid")
    return value.lower()


def _schema(value: Json) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _refusal("`schema` is not a string")
    return value


def _origin(value: Json, records: list[Any]) -> Origin:
    position = value.get("position") if isinstance(value, dict) else None
    if type(position) is not int or not 0 <= position < 2**31 or len(records) != 1:
        raise _refusal("`origin` is not that of one record")
    claims = value.get("sent_at"), value.get("sender")
    sent_at, sender = claims if _is_claim(*claims) else (None, None)
    return Origin(_uuid(value.get("id"), "origin.id"), position, sent_at, sender)


def _is_claim(sent_at: Json, sender: Json) -> bool:
    """Whether both are as a dead letter has them."""
    if not (isinstance(sent_at, str) and isinstance(sender, str) and sender and "\0" not in sender):
        return False
    try:
        return bool(_INSTANT.fullmatch(sent_at) and datetime.fromisoformat(sent_at))
    except ValueError:
        return False


def _refusal(text: str) -> RejectedError:
    return RejectedError(Reason.NOT_AN_ENVELOPE, text)
