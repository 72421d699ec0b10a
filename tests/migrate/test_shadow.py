"""Chains on a short-lived Postgres: `sluice check --shadow`, and edited SQL that is proven there."""

import json
import subprocess
import sys

import pytest

from compiler.canonical import sha256_bytes
from compiler.migrate import files
from tests.migrate.test_cli import CHAIN, contents, edit_manifest, named_database, project, sluice

__all__ = ["named_database", "project"]


@pytest.fixture
def planned(project):
    """Two migrations, the second with two steps."""
    sluice("plan")
    edit_manifest(
        project, lambda manifest: manifest["record"]["properties"].update(region={"type": "string"})
    )
    sluice("plan")
    return project


def edit(project, old, new, name="0002_add_region.sql"):
    path = project / CHAIN / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_an_edit_is_refused_until_it_is_proven(planned, named_database):
    edit_manifest(planned, lambda manifest: manifest["record"]["properties"].update(zone={"type": "string"}))
    sluice("plan")
    path = edit(planned, 'ADD COLUMN "region" text;', 'ADD COLUMN IF NOT EXISTS "region" text;')
    checked = sluice("check")
    assert checked.exit_code == 1
    assert 'prove the edit: `sluice plan alert_events --edited 0002 --because "<why>"`' in checked.stderr
    found = sluice("plan", "alert_events", "--edited", "0002", "--because", "It may be there.")
    assert found.exit_code == 0, found.output
    assert f"wrote {CHAIN}/0003_add_zone.sql\nwrote {CHAIN}/chain.lock\n" in found.stdout
    migration = files.read(path.read_text())
    assert migration.edited is not None
    assert (migration.edited.why, migration.edited.sql_sha256) == ("It may be there.", migration.sql_sha256)
    assert f"shadow postgres {migration.edited.major} sql {migration.sql_sha256}\n" in path.read_text()
    assert files.read((planned / CHAIN / "0003_add_zone.sql").read_text()).previous == sha256_bytes(
        path.read_bytes()
    )
    assert sluice("check").exit_code == 0
    assert sluice("plan", "--check").exit_code == 0
    assert sluice("migrate", "apply", "--prefix", "test").exit_code == 0
    edit(planned, "IF NOT EXISTS ", "")
    assert "The SQL was edited" in sluice("check").stderr


def test_an_edit_that_leads_elsewhere_is_not_marked(planned):
    edit(planned, 'ADD COLUMN "region" text;', 'ADD COLUMN "region" bigint;')
    before = contents(planned)
    found = sluice("plan", "alert_events", "--edited", "0002", "--because", "x")
    assert found.exit_code == 1
    assert (
        '0002_add_region.sql, step 1 (add column "region") left another table than it declares'
        in found.stderr
    )
    assert "Nothing was written." in found.stderr
    assert contents(planned) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--edited", "0002"), "NAME --edited NNNN --because TEXT"),
        (("--edited", "x", "--because", "y"), "named by its number"),
        (("--edited", "0009", "--because", "y"), "There is no migration 0009"),
        (("--edited", "0002", "--because", "y"), "there is no edit to prove"),
        (("--edited", "0002", "--because", 'so "they" say'), "without double quotes"),
    ],
)
def test_how_an_edit_is_not_proven(planned, arguments, says):
    found = sluice("plan", "alert_events", *arguments)
    assert (found.exit_code, says in found.stderr) == (2, True), found.output


def test_chains_are_run_on_a_shadow(planned):
    found = sluice("check", "--shadow")
    assert found.exit_code == 0, found.output
    edit_manifest(planned, lambda manifest: manifest.update(version=2))
    sluice("plan")
    assert sluice("check", "--shadow").exit_code == 0


def test_a_chain_that_fails_there_is_told(planned, monkeypatch):
    old, new = 'ADD COLUMN "region" text;', 'ADD COLUMN "region" text; SELECT 1 / 0;'
    path = edit(planned, old, new)
    before = files.read(path.read_text(), edited=True)
    path.write_text(files.write(before))  # its hashes are made right by hand
    lock = planned / CHAIN / "chain.lock"
    lock.write_text(f"{path.name} {sha256_bytes(path.read_bytes())}\n")
    assert sluice("check").exit_code == 0
    found = sluice("check", "--shadow", "--format", "json")
    assert found.exit_code == 1
    assert "On a shadow database: alert_events 0002_add_region.sql, step 1" in found.stdout
    assert "division by zero" in json.dumps(json.loads(found.stdout))


def test_check_without_a_shadow_loads_no_driver(planned):
    probe = (
        "import sys\nfrom click.testing import CliRunner\nfrom compiler.cli.main import main\n"
        "assert CliRunner().invoke(main, ['check']).exit_code == 0\nprint('psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"
