from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from compiler.cli.main import COMMANDS, main
from dev.environment import Environment

REPOSITORY = Path(__file__).resolve().parents[2]
SLUICE = Path(sys.executable).parent / "sluice"


def sluice(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="sluice")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and the current directory."""
    (tmp_path / "datasets").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begin(name: str = "orders") -> None:
    result = sluice("init", name, "--owner", "shop")
    assert result.exit_code == 0, result.stderr


def edit(name: str, **changes: object) -> None:
    """Lay the changes over the manifest, one field a line: the changed ones come last, `}` after them."""
    path = Path("datasets", name, "dataset.json")
    fields = {**json.loads(path.read_text()), **changes}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items())
    path.write_text(f"{{\n{lines}\n}}\n")


def test_our_own_datasets_have_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    result = sluice("check")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("3 datasets, 0 problems")


def test_check_finds_the_project_above_and_prints_paths_from_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    edit("orders", colour="red")
    monkeypatch.chdir(project / "datasets" / "orders")
    result = sluice("check")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        '../../datasets/orders/dataset.json:11:3 $.colour: There is no field "colour"'
    )
    assert result.stdout == "1 dataset, 1 problem\n"


def test_check_takes_the_project_from_the_option(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert sluice("--project", str(project), "check").exit_code == 0


def test_every_problem_of_every_manifest_is_told_in_order(project: Path) -> None:
    for name in ("zebras", "apples", "orders"):
        begin(name)
    edit("zebras", owner="Zoo", sink={"min_tasks": 9})
    edit("apples", version=0)
    result = sluice("check")
    places = [line.split(" ")[1] for line in result.stderr.splitlines() if "warning: " not in line]
    assert places == ["$.version:", "$.owner:", "$.sink.min_tasks:"]
    assert result.stdout == "3 datasets, 3 problems, 1 warning\n"


@pytest.mark.parametrize(
    "path",
    ["datasets/orders", "datasets/orders/dataset.json", "datasets/orders/", "../{name}/datasets/orders"],
)
def test_check_takes_a_manifest_or_its_folder(project: Path, path: str) -> None:
    begin()
    begin("returns")
    edit("returns", version=0)
    result = sluice("check", path.format(name=project.name))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("1 dataset, 0 problems")


@pytest.mark.parametrize("path", [".", "datasets"])
def test_check_takes_a_folder_of_datasets(project: Path, path: str) -> None:
    begin()
    begin("returns")
    assert sluice("check", path).stdout.startswith("2 datasets, 0 problems")


def test_check_as_json_is_one_document_on_stdout(project: Path) -> None:
    begin()
    edit("orders", colour="red")
    result = sluice("check", "--format", "json")
    assert result.exit_code == 1
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert {key: document[key] for key in ("datasets", "errors", "warnings")} == {
        "datasets": 1,
        "errors": 1,
        "warnings": 0,
    }
    (problem,) = document["problems"]
    assert list(problem) == ["file", "line", "column", "pointer", "rule", "severity", "message", "fix"]
    assert (problem["file"], problem["line"], problem["column"]) == ("datasets/orders/dataset.json", 11, 3)
    assert (problem["pointer"], problem["rule"], problem["severity"]) == (
        "$.colour",
        "unknown-field",
        "error",
    )


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("github", "::error file=datasets/orders/dataset.json,line=11,col=3,title=unknown-field::$.colour: "),
        ("markdown", "### sluice check\n\n1 dataset, 1 problem.\n\n| | where"),
    ],
)
def test_check_for_a_pull_request_goes_to_stdout(project: Path, form: str, start: str) -> None:
    begin()
    assert sluice("check", "--format", form).exit_code == 0
    edit("orders", colour="red")
    result = sluice("check", "--format", form)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith(start)
    assert "1 dataset, 1 problem" in result.stdout


def test_without_a_project_the_command_line_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = sluice("check")
    assert result.exit_code == 2
    assert "sluice init NAME" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("chek",), 'Did you mean "check"?'),
        (("deploy-everything",), "See sluice --help."),
        (("check", "nowhere"), "does not exist"),
        (("check", "--format", "yaml"), "is not one of"),
        (("--project", "nowhere", "check"), "does not exist"),
    ],
)
def test_a_wrong_command_line_is_told_with_exit_code_2(
    project: Path, arguments: tuple[str, ...], hint: str
) -> None:
    result = sluice(*arguments)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys\nfrom compiler.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m.startswith('compiler.cli.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "['compiler.cli.main']" in done.stdout
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert "Exit codes:" in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_there_under_its_name(name: str) -> None:
    result = sluice(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: sluice {name}")


def test_the_version_is_the_package_s() -> None:
    result = sluice("--version")
    assert (result.exit_code, result.stdout) == (0, "sluice 0.1.0\n")


# --- sluice init ---


def test_init_writes_a_manifest_that_passes_check_without_a_plan(project: Path) -> None:
    begin()
    result = sluice("check")
    assert result.exit_code == 0, result.stderr
    assert [line.rpartition("[")[2] for line in result.stderr.splitlines()] == ["chain-missing]"]
    examples = project / "datasets" / "orders" / "examples"
    assert len(list(examples.glob("valid/*.json"))) >= 2
    assert len(list(examples.glob("invalid/*.json"))) >= 4


def test_init_names_the_next_commands(project: Path) -> None:
    result = sluice("init", "orders", "--owner", "shop")
    assert all(
        f"sluice {step}" in result.stdout for step in ("check", "show orders", "plan orders", "dev up")
    )


def test_init_begins_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begin()
    assert Path("datasets/orders/dataset.json").exists()
    assert (tmp_path / "__main__.py").read_bytes() == (REPOSITORY / "__main__.py").read_bytes()
    assert sluice("plan").exit_code == 0
    # All that `sluice dev up` looks at before it starts anything.
    config, datasets = Environment(tmp_path)._compile()
    assert (config.name, [one.name for one in datasets]) == ("embedded", ["orders"])
    assert ".sluice/" in Path(".gitignore").read_text()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    Path("Pulumi.yaml").write_text("name: mine\n")
    assert sluice("init", "second").exit_code == 0
    assert {path: path.read_bytes() for path in before} == {
        **before,
        tmp_path / "Pulumi.yaml": b"name: mine\n",
    }


def test_init_without_an_owner_takes_the_user(project: Path) -> None:
    assert sluice("init", "orders").exit_code == 0
    assert sluice("check").exit_code == 0


@pytest.mark.parametrize(
    "name", ["Orders", "2fast", "with-dash", "sluice_own", "pg_own", "a" * 49, "../orders"]
)
def test_init_refuses_a_wrong_name_and_writes_nothing(project: Path, name: str) -> None:
    result = sluice("init", name)
    assert result.exit_code == 1
    assert "Expected a name of" in result.stderr or "Choose another name" in result.stderr
    assert list(project.rglob("*.json")) == []


def test_init_refuses_a_wrong_owner(project: Path) -> None:
    result = sluice("init", "orders", "--owner", "The Shop")
    assert (result.exit_code, list(project.rglob("*.json"))) == (1, [])
    assert "team name" in result.stderr


def test_init_leaves_an_existing_folder_alone(project: Path) -> None:
    begin()
    before = Path("datasets/orders/dataset.json").read_bytes()
    result = sluice("init", "orders")
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert Path("datasets/orders/dataset.json").read_bytes() == before


# --- as a process ---


def test_check_as_a_process_needs_neither_network_libraries_nor_drivers(tmp_path: Path) -> None:
    """Every module that a check of our own datasets imports, `sluice check` of a wrong manifest included."""
    code = (
        "import sys\nfrom compiler.cli.main import main\n"
        "try:\n    main(['check'])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print('modules', code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    for folder in (REPOSITORY, REPOSITORY / "tests" / "invalid_manifests" / "sluice_reserved"):
        if folder != REPOSITORY:
            (tmp_path / "datasets").mkdir()
            (tmp_path / "datasets" / "sluice_reserved").symlink_to(folder)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY if folder == REPOSITORY else tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        )
        _, exit_code, *modules = done.stdout.splitlines()[-1].split(" ")
        assert exit_code == ("0" if folder == REPOSITORY else "1"), done.stderr
        unwanted = {"pulumi", "pulumi_aws", "pulumi_postgresql", "boto3", "botocore", "psycopg", "dev"}
        assert unwanted.isdisjoint(modules)
        assert {"compiler", "jsonschema_rs"} <= set(modules)


def test_the_clean_path_loads_no_renderer(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom compiler.pipeline import check_problems\nfrom pathlib import Path\n"
        "assert check_problems(Path()).manifests\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert {"rich", "jsonschema", "jinja2", "yaml", "difflib"}.isdisjoint(done.stdout.split())


def test_the_console_script_tells_problems_on_stderr_and_the_sum_on_stdout(project: Path) -> None:
    begin()
    edit("orders", colour="red")
    done = subprocess.run([SLUICE, "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "1 dataset, 1 problem\n"
    assert 'datasets/orders/dataset.json:11:3 $.colour: There is no field "colour".' in done.stderr
    assert "\x1b" not in done.stderr
