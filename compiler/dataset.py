"""The compiler's intermediate representation: one dataset, complete and immutable.

`lower.py` builds it from a manifest that has passed every rule; all emitters read it and nothing else. No default is
missing, no raw manifest JSON is left, and `match` over its closed unions ends in `assert_never`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from compiler.canonical import JsonDocument
from compiler.operation import Alarms, Buffer, Sink, Tombstone

# --- column types: the closed set that a first release can store and prove -----------------------------------------


@dataclass(frozen=True)
class BigInt:
    """bigint. JSON's `1.0` is an integer, so values are read as numeric and cast."""


@dataclass(frozen=True)
class Numeric:
    """numeric, or numeric(precision, scale); both None means unconstrained."""

    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True)
class Double:
    """double precision."""


@dataclass(frozen=True)
class Boolean:
    """boolean."""


@dataclass(frozen=True)
class Text:
    """text; lengths are CHECKs, never varchar(n) (a view pins a column's type, not its CHECKs)."""


@dataclass(frozen=True)
class Uuid:
    """uuid."""


@dataclass(frozen=True)
class Timestamptz:
    """timestamp with time zone."""


@dataclass(frozen=True)
class Date:
    """date."""


@dataclass(frozen=True)
class Timetz:
    """time with time zone: a time of day with its offset as it was written."""


@dataclass(frozen=True)
class Bytea:
    """bytea; a record holds the bytes as padded base64 text."""


@dataclass(frozen=True)
class Jsonb:
    """jsonb: objects, arrays and values of mixed type."""


@dataclass(frozen=True)
class Integer:
    """integer; only Sluice's own position column has it."""


ElementType = BigInt | Numeric | Boolean | Text | Uuid | Timestamptz | Date


@dataclass(frozen=True)
class Array:
    """A flat array; an element is null where the items' schema admits null."""

    element: ElementType


ColumnType = ElementType | Double | Timetz | Bytea | Jsonb | Integer | Array


# --- columns -------------------------------------------------------------------------------------------------------


class Classification(StrEnum):
    """How carefully a value must be handled; values above `INTERNAL` never reach a log line."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class Platform(StrEnum):
    """What the sink itself can put into a column."""

    INGESTED_AT = "$ingested_at"  # the transaction's time
    SENT_AT = "$sent_at"  # when SQS took the message
    MESSAGE_ID = "$message_id"  # the envelope's id, else SQS' MessageId, as uuid
    SENDER = "$sender"  # SQS' SenderId
    RECORD = "$record"  # the whole record as it came, jsonb


@dataclass(frozen=True)
class Property:
    """A top-level property of the record, by its JSON name."""

    name: str


Source = Property | Platform


@dataclass(frozen=True)
class Column:
    """One declared column of the table. `default` is the JSON literal of `table.columns.<c>.default`.

    `rounds` lets a numeric(p,s) column take excess scale; otherwise the effective schema refuses it.
    `optional`: the property may be missing (apart from whether it may be null, which `nullable` covers together).
    `renamed_from` is the name that the column had until now, for the plan that renames it.
    """

    name: str
    type: ColumnType
    nullable: bool
    source: Source
    classification: Classification
    default: JsonDocument | None = None
    description: str | None = None
    rounds: bool = False
    optional: bool = False
    renamed_from: str | None = None


# --- constraints, structured: SQL text is rendered in migrate/ only ---------------------------------------------------


@dataclass(frozen=True)
class OneOf:
    """`enum` and `const`: canonical JSON literals of scalars, sorted."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Length:
    """`minLength` and `maxLength`, in code points."""

    minimum: int | None
    maximum: int | None


@dataclass(frozen=True)
class Bound:
    """One of `minimum`, `maximum` and their exclusive forms; `value` is the number's exact text."""

    operator: str  # ">=", ">", "<=", "<"
    value: str


@dataclass(frozen=True)
class Matches:
    """`pattern` within the subset where Postgres and JSON Schema agree."""

    pattern: str


@dataclass(frozen=True)
class Expression:
    """A user's SQL expression, parsed by Postgres' grammar and written back in one canonical form."""

    sql: str


Rule = OneOf | Length | Bound | Matches | Expression


@dataclass(frozen=True)
class Check:
    """A CHECK of the table. `column` is the column it constrains, or for a user's expression the check's name."""

    column: str
    rule: Rule


class Order(StrEnum):
    """The direction in which an index holds a column."""

    ASC = "asc"
    DESC = "desc"


class Nulls(StrEnum):
    """Where an index holds the nulls of a column."""

    FIRST = "first"
    LAST = "last"


class Method(StrEnum):
    """An index's access method: btree for scalars, gin for jsonb and arrays."""

    BTREE = "btree"
    GIN = "gin"


@dataclass(frozen=True)
class IndexColumn:
    """A column in an index; Postgres' own default for nulls is LAST with ASC and FIRST with DESC."""

    name: str
    order: Order = Order.ASC
    nulls: Nulls = Nulls.LAST


@dataclass(frozen=True)
class Index:
    """A secondary index; `name` is the manifest's, unique within the table."""

    name: str
    method: Method
    columns: tuple[IndexColumn, ...]
    include: tuple[str, ...] = ()
    where: Expression | None = None


# --- identity and conflict ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NaturalKey:
    """The record's own key: columns that are required and not null."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class MessageKey:
    """`"$message"`: the records have no key of their own; (message id, position) is their identity."""


Key = NaturalKey | MessageKey


@dataclass(frozen=True)
class Ignore:
    """The first committed record of a key wins."""


@dataclass(frozen=True)
class Update:
    """The newest by (sent_at, message id, position) wins."""


@dataclass(frozen=True)
class UpdateIfNewer:
    """The newest by (column, sent_at, message id, position) wins."""

    column: str


OnConflict = Ignore | Update | UpdateIfNewer


@dataclass(frozen=True)
class Narrowing:
    """A place where the effective schema admits less than the record schema, and why."""

    column: str
    text: str


@dataclass(frozen=True)
class Dataset:
    """Everything that the emitters need to know of one dataset.

    `record` is the bundled record schema in 2020-12 form; `record_sha256` is its hash without annotations (the
    messages' `schema` hash). `effective` is the one schema that the sink admits by: `allOf [record, domain]`.
    With a `tombstone` it is sealed: `producers` is empty, and nothing protects its resources from being deleted.
    `unmanaged` names what others manage on the table, as "index:mine".
    `record_columns` are in the manifest's order of properties, platform columns after them in theirs.
    """

    name: str
    version: int
    uuid: UUID
    owner: str
    description: str
    classification: Classification
    schema: str
    record: JsonDocument
    record_sha256: str
    effective: JsonDocument
    columns: tuple[Column, ...]
    key: Key
    on_conflict: OnConflict
    checks: tuple[Check, ...]
    indexes: tuple[Index, ...]
    producers: tuple[str, ...]
    readers: tuple[str, ...]
    buffer: Buffer
    sink: Sink
    alarms: Alarms
    publish_events: bool
    compatible_because: str | None
    narrowings: tuple[Narrowing, ...]
    unmanaged: tuple[str, ...] = ()
    tombstone: Tombstone | None = None

    def column(self, name: str) -> Column:
        """The declared column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
