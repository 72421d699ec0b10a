"""docs/stack-configuration.md: templates/stack.md, then every key of the stack's JSON Schema with its default and an example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from compiler.canonical import Json
from compiler.defaults import manifest_schema
from compiler.stack.shape import schema

TEMPLATE = Path(__file__).parents[1] / "templates" / "stack.md"


def page() -> str:
    """The page's text."""
    top = schema()
    keys = "".join(_key(name, about, name in top["required"]) for name, about in top["properties"].items())
    return TEMPLATE.read_text(encoding="utf-8") + keys


def _key(name: str, about: Json, required: bool) -> str:  # noqa: FBT001 - of one row
    """A key with a section of its own; what is below it as a table."""
    head = f"\n## `sluice:{name}`\n\n{about['description']}\n\n{_how(about, required)}\n"
    return head + _example(name, about) + "".join(_below(about))


def _how(about: Json, required: bool) -> str:  # noqa: FBT001 - as above
    if required:
        return "**Required.**"
    return f"Default: `{json.dumps(about['default'])}`." if "default" in about else "Optional."


def _example(name: str, about: Json) -> str:
    if not about.get("examples"):
        return ""
    text = yaml.safe_dump({f"sluice:{name}": about["examples"][0]}, sort_keys=False, width=1000)
    return "\n" + "".join(f"    {line}\n" for line in text.splitlines())


def _below(about: Json) -> Iterator[str]:
    fields = about.get("properties") or _entries(about).get("properties")
    if not fields:
        return
    required = (about if "properties" in about else _entries(about)).get("required", [])
    yield "\n| field | values | default | meaning |\n|---|---|---|---|\n"
    for name, field in fields.items():
        found = _resolved(field)
        default = "**required**" if name in required else _default(found)
        meaning = str(field.get("description", found.get("description", ""))).replace("|", "\\|")
        yield f"| `{name}` | {_values(found)} | {default} | {meaning} |\n"


def _entries(about: Json) -> Json:
    """What each entry of a mapping is, where the names are the user's own."""
    found = about.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _resolved(field: Json) -> Json:
    if "$ref" not in field:
        return field
    found: Json = manifest_schema()
    for step in field["$ref"].partition("#/")[2].split("/"):
        found = found[step]
    return found


def _default(field: Json) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else ""


def _values(field: Json) -> str:
    if "x-expects" in field:
        return str(field["x-expects"]).replace("|", "\\|")
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"])
    if "minimum" in field:
        return (
            f"{field['minimum']:,} to {field['maximum']:,}"
            if "maximum" in field
            else f"from {field['minimum']}"
        )
    items = field.get("items", {}).get("x-expects")
    return f"a list, each {items}" if items else str(field.get("type", "value"))
