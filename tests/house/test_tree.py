"""What holds for every committed file: no addresses of this or that machine, small modules, small functions."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("compiler", "sink_runtime", "dev", "bench", "tools")
MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_MODULE = 340

# Spelled in pieces, so that this file does not hold what it looks for.
INDEX_OPTIONS = re.compile(r"--(extra-)?index" + r"-url|--find" + r"-links|index" + r"-url\s*=")
REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            r"files\.python" + r"hosted",
            r"py" + r"pi\.org",
            r"registry\.npm" + r"js",
            r"proxy\.golang" + r"\.org",
        )
    )
)


def committed() -> list[Path]:
    """The files that git knows, or all but the generated ones where there is no git."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return sorted(
            path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()
        )
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not path.relative_to(ROOT).parts[0].startswith(".")
    )


def modules() -> list[Path]:
    return [
        path
        for path in committed()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (*CODE, "__main__.py")
    ]


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    return enumerate(path.read_bytes().decode("utf-8", errors="replace").splitlines(), start=1)


@pytest.mark.parametrize("pattern", [INDEX_OPTIONS, REGISTRY_HOSTS], ids=["index options", "registry hosts"])
def test_no_file_names_a_package_index(pattern: re.Pattern[str]) -> None:
    """Where packages come from is the machine's own configuration."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in committed()
        for number, line in lines_of(path)
        if pattern.search(line)
    ]
    assert found == []


def test_no_file_names_a_home_folder() -> None:
    homes = re.compile(r"(?<![\w/])/(?:(?:home|Users)/[a-z]\w*|root|work)/")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in committed()
        if path != Path(__file__)
        for number, line in lines_of(path)
        if homes.search(line)
    ]
    assert found == []


def test_modules_are_small() -> None:
    sizes = {str(path.relative_to(ROOT)): sum(1 for _ in lines_of(path)) for path in modules()}
    assert {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_MODULE} == {}


def test_functions_are_small() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": size
        for path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_the_sink_plan_needs_the_standard_library_only() -> None:
    """The one module that both halves share must load anywhere."""
    tree = ast.parse((ROOT / "sink_runtime" / "plan.py").read_bytes())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} == set()


def test_checking_and_planning_start_with_no_cloud_and_no_driver() -> None:
    """`sluice check` and `plan` start without Pulumi, boto3 or a database driver, whatever the other commands import."""
    probe = (
        "import sys, compiler.cli.main, compiler.cli.check, compiler.cli.plan; print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, check=True, text=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert (
        loaded & {"pulumi", "pulumi_aws", "pulumi_postgresql", "boto3", "botocore", "psycopg", "dev", "moto"}
        == set()
    )
