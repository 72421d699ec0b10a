"""Who a dataset is: its name, its folder and the schema that it lives in."""

from __future__ import annotations

from collections.abc import Iterator

from compiler import names
from compiler.manifest import RawManifest
from compiler.problems import Finding
from compiler.suggest import quoted

# Postgres refuses to make a role or a schema with this prefix.
_POSTGRES_PREFIX = "pg_"
_RESERVED_SCHEMAS = {
    names.CONTROL_SCHEMA: "it holds Sluice's own tables",
    "information_schema": "it belongs to Postgres",
    "public": "it belongs to the database's owner, and search paths lead into it",
}


def folder_is_name(manifest: RawManifest) -> Iterator[Finding]:
    """The folder is how people and commands find a dataset."""
    folder = manifest.folder.name
    if folder in {"", ".."}:  # the current directory, or one relative to it
        folder = manifest.folder.resolve().name
    if folder != manifest.name:
        yield Finding(
            ("name",),
            "folder-name",
            f"The dataset is called {quoted(manifest.name)} and its folder {quoted(folder)}.",
            f"Rename one of them; the folder must be datasets/{manifest.name}.",
        )


def name_is_free(manifest: RawManifest) -> Iterator[Finding]:
    """Names that Sluice or Postgres keep for themselves."""
    reserved = ("sluice_", _POSTGRES_PREFIX)
    if manifest.name == names.CONTROL_SCHEMA or manifest.name.startswith(reserved):
        yield Finding(
            ("name",),
            "reserved-name",
            f'The name {quoted(manifest.name)} is reserved: "sluice" and "sluice_…" are Sluice\'s, "pg_…" is Postgres\'.',
            "Choose another name.",
        )


def schema_is_free(manifest: RawManifest) -> Iterator[Finding]:
    """Tables go into schemas that the migrations own."""
    schema = manifest.value["table"].get("schema", names.DATASETS_SCHEMA)
    reason = _RESERVED_SCHEMAS.get(schema)
    if reason is None and schema.startswith(_POSTGRES_PREFIX):
        reason = "Postgres reserves the prefix pg_"
    if reason:
        yield Finding(
            ("table", "schema"),
            "reserved-name",
            f"Tables may not go into the schema {quoted(schema)}: {reason}.",
            f'Leave "schema" out (it is {quoted(names.DATASETS_SCHEMA)}), or name one of your own.',
        )


IDENTITY_RULES = (folder_is_name, name_is_free, schema_is_free)
