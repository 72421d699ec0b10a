"""The record schema: from what an author wrote to what the columns can hold.

documents.py   the manifest's record and the files beside it; where a `$ref` leads
dialects.py    which keywords each draft has, from 4 to 2020-12
keywords.py    what to say of a keyword that a draft does not have
older.py       what the older drafts' keywords become in 2020-12
bundle.py      one self-contained 2020-12 schema, every part with its place in the source
aliases.py     `$ref` cycles that never reach a value
validity.py    is it valid JSON Schema at all, and can its patterns and formats be checked?
kinds.py       which JSON types a schema can admit, and whether null is one of them
objects.py     the record's properties, which are required, and whether it is closed
types.py       a property's column type, and which other types it may be stored as
naming.py      which names are good column names
domain.py      what each column type can hold, as JSON Schema
patterns.py    the regular expressions on which Postgres and JSON Schema agree
checks.py      which keywords become CHECKs
widths.py      what fits into a btree entry
defaults.py    is a column's default a value that the column takes?
columns.py     one property and its options -> one column
analysis.py    all of it, once for each manifest

compatibility.py  does a schema admit whatever an earlier one admitted?
meaning.py        an effective schema without what changes no meaning
changes.py        what differs between two, in words
candidates.py     records near the limits of both
matching.py       strings that a pattern may match
"""

from __future__ import annotations

from compiler.record.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]
