"""Pages that must not drift: `make pages` writes them, a test compares.

docs/manifest.md is templates/manifest.md and every field of the manifest's JSON Schema; docs/design.md is
templates/design.md and the first line of every module's docstring; docs/sink.md is templates/sink.md and the tables of
tools/sink_page.py; docs/stack-configuration.md is templates/stack.md and the tables of tools/stack_page.py.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from compiler.canonical import Json
from compiler.defaults import manifest_schema, resolve
from tools import sink_page, stack_page

ROOT = Path(__file__).parents[1]
PACKAGES = ("compiler", "sink_runtime", "dev")

SECTIONS = (
    ("The manifest", ()),
    ("`table`", ("table",)),
    ("`table.columns.<column>`", ("table", "columns", "*")),
    ("`table.indexes[]`", ("table", "indexes", "[]")),
    ("`buffer`", ("buffer",)),
    ("`sink`", ("sink",)),
    ("`alarms`", ("alarms",)),
    ("`events`", ("events",)),
    ("`evolve`", ("evolve",)),
)


def pages() -> dict[Path, str]:
    """Each page's path and text."""
    return {
        ROOT / "docs" / "manifest.md": _template("manifest") + "".join(_fields(*one) for one in SECTIONS),
        ROOT / "docs" / "design.md": _template("design") + "".join(map(_modules, PACKAGES)),
        ROOT / "docs" / "sink.md": sink_page.page(),
        ROOT / "docs" / "stack-configuration.md": stack_page.page(),
    }


def _template(name: str) -> str:
    return (ROOT / "templates" / f"{name}.md").read_text(encoding="utf-8")


def _modules(package: str) -> str:
    files = sorted((ROOT / package).rglob("*.py"), key=lambda file: (file.parent, file.name))
    lines = (f"| `{file.relative_to(ROOT)}` | {_summary(file)} |\n" for file in files)
    return f"\n### {package}\n\n| module | what it is |\n|---|---|\n{''.join(lines)}"


def _summary(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("|", "\\|")


def _fields(title: str, path: tuple[str, ...]) -> str:
    return f"\n## {title}\n\n{''.join(_lines(_at(path)))}"


def _at(path: tuple[str, ...]) -> Json:
    schema = manifest_schema()
    for step in path:
        match step:
            case "*":
                schema = resolve(schema)["additionalProperties"]
            case "[]":
                schema = resolve(schema)["items"]
            case name:
                schema = resolve(schema)["properties"][name]
    return resolve(schema)


def _lines(schema: Json) -> Iterator[str]:
    if description := schema.get("description"):
        yield f"{description}\n\n"
    yield "| field | values | default | meaning |\n|---|---|---|---|\n"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        about = {**resolve(field), **field}
        default = "**required**" if name in required else _default(about)
        meaning = " ".join(part for part in (about.get("description"), about.get("x-why")) if part)
        yield f"| `{name}` | {_values(about)} | {default} | {meaning.replace('|', chr(92) + '|')} |\n"


def _default(field: Json) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else ""


def _values(field: Json) -> str:
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"])
    if "minimum" in field:
        return f"{field['minimum']:,} to {field.get('maximum', '…'):,}"
    kinds = field.get(
        "type", [resolve(one).get("type", "value") for one in field.get("anyOf", [])] or "value"
    )
    return " or ".join(dict.fromkeys(kinds)) if isinstance(kinds, list) else str(kinds)


if __name__ == "__main__":
    for place, text in pages().items():
        place.write_text(text, encoding="utf-8")
