"""Why a record or a body was not admitted: the closed set of codes that dead letters and logs carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The `reason` attribute of a dead letter. DESCRIPTIONS says what each means."""

    BODY_TOO_LARGE = "body_too_large"
    INVALID_ENCODING = "invalid_encoding"
    NOT_JSON = "not_json"
    NOT_AN_ENVELOPE = "not_an_envelope"
    WRONG_DATASET = "wrong_dataset"
    TOO_DEEP = "too_deep"
    NUL_CHARACTER = "nul_character"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    SCHEMA_VIOLATION = "schema_violation"
    SCHEMA_UNKNOWN = "schema_unknown"
    REFUSED_BY_DATABASE = "refused_by_database"
    STATEMENT_TIMEOUT = "statement_timeout"
    UNREADABLE = "unreadable"


DESCRIPTIONS: Mapping[Reason, str] = {
    Reason.BODY_TOO_LARGE: "The body is larger than the buffer's limit, so that a wrapped record would not fit the DLQ.",
    Reason.INVALID_ENCODING: "The body is no valid UTF-8, begins with a byte order mark, or holds half a surrogate pair.",
    Reason.NOT_JSON: "The body is not JSON; NaN and Infinity are not.",
    Reason.NOT_AN_ENVELOPE: "The body is JSON, but not an envelope of records.",
    Reason.WRONG_DATASET: "The envelope names another dataset than the buffer's.",
    Reason.TOO_DEEP: "The record is nested deeper than the plan permits.",
    Reason.NUL_CHARACTER: "A string or key of the record holds U+0000, which Postgres cannot store.",
    Reason.NUMBER_OUT_OF_RANGE: "A number is beyond what numeric holds, or would become zero or infinity in its column.",
    Reason.SCHEMA_VIOLATION: "The record does not satisfy the effective schema.",
    Reason.SCHEMA_UNKNOWN: "As schema_violation, and the envelope names a schema that this plan does not know: held for a "
    "while first, since a newer plan may admit it.",
    Reason.REFUSED_BY_DATABASE: "The schema admits the record, and Postgres refused it alone.",
    Reason.UNREADABLE: "This sink failed on the body, by a defect of its own; the text names the error.",
    Reason.STATEMENT_TIMEOUT: "Writing this one record ran into the statement timeout three times.",
}


@dataclass(frozen=True)
class Rejection:
    """One reason with its particulars.

    `text` and `pointer` (RFC 6901, within the record) say where and which rule, and never repeat a value of the
    record. `sqlstate` is set where Postgres refused it.
    """

    reason: Reason
    text: str
    pointer: str | None = None
    sqlstate: str | None = None


class RejectedError(Exception):
    """A whole body is rejected; it goes to the dead-letter queue as it is."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.rejection = Rejection(reason, text)
