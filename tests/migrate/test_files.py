"""The migration file: written in one way, read strictly."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.migrate import files
from compiler.migrate.model import NO_PREVIOUS, Edit, Effort, Hazard, Lock, Migration, Mode, Phase, Step
from compiler.migrate.planner import Create, plan
from compiler.migrate.steps.register import Registration
from compiler.table import ABSENT_FINGERPRINT, table_of
from tests.migrate.conftest import chain_of
from tests.migrate.strategies import tables
from tests.support.datasets import alert_events

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1, max_size=40)


RECOVERIES = st.just("") | st.just('DROP INDEX CONCURRENTLY "datasets"."x";')


@st.composite
def steps(draw, phase):
    sql = "\n".join(draw(st.lists(LINES, min_size=1, max_size=4)))
    return Step(
        draw(LINES.filter(lambda line: line.strip())),
        sql,
        draw(st.sampled_from(Lock)),
        draw(st.sampled_from(Effort)),
        draw(HASHES),
        phase=phase,
        **draw(st.just({}) | extras()),
    )


@st.composite
def extras(draw):
    return {
        "mode": draw(st.sampled_from([Mode.OWN, Mode.NONE])),
        "hazard": draw(st.sampled_from(Hazard)),
        "lock_timeout": draw(st.integers(0, 10)),
        "statement_timeout": draw(st.integers(0, 1000)),
        "partial": tuple(draw(st.lists(HASHES, max_size=2))),
        "recovery": draw(RECOVERIES),
    }


@st.composite
def migrations(draw):
    phase = draw(st.sampled_from(Phase))
    chosen = tuple(draw(st.lists(steps(phase), min_size=1, max_size=4)))
    return Migration(
        number=draw(st.integers(0, 9999)),
        dataset=draw(st.from_regex(r"[a-z][a-z0-9_]{0,47}", fullmatch=True)),
        version=draw(st.integers(1, 999)),
        phase=phase,
        before=draw(HASHES),
        after=chosen[-1].after,
        previous=draw(HASHES | st.just(NO_PREVIOUS)),
        steps=chosen,
    )


@given(migrations())
def test_what_is_written_is_read_back(migration):
    try:
        text = files.write(migration)
    except ValueError:
        # Refused, because the SQL is empty or has a line that reads as a header: never written and misread.
        odd = [step for step in migration.steps if not step.sql.strip() or "-- step " in step.sql]
        assert odd or any(not step.title.strip() for step in migration.steps)
        return
    assert files.read(text) == migration


@given(tables())
def test_a_hostile_table_plans_to_a_file_that_reads_back(table):
    planned = plan(None, table, Registration("t", 1, UUID(int=1), "o'wn\"er\n-- step 9: x"))
    assert isinstance(planned, Create)
    (written,) = planned.files
    assert files.read(written.text) == written.migration
    header, _, body = written.text.partition("\n-- step 1: ")
    assert header.count("\n") == 2
    assert body.count("\n-- step ") == len(written.migration.steps) - 1
    assert written.text.replace("\n", "").isprintable()


@pytest.fixture
def text():
    dataset = alert_events()
    table = table_of(dataset)
    planned = plan(None, table, Registration(dataset.name, 1, dataset.uuid, dataset.owner))
    assert isinstance(planned, Create)
    return planned.files[0].text


def test_the_example_is_the_documented_form(text):
    lines = text.splitlines()
    assert lines[0] == "-- sluice migration 0001  dataset alert_events v1  phase expand"
    assert lines[1].startswith(f"-- from {ABSENT_FINGERPRINT}  to sha256:")
    assert "  previous none  sql sha256:" in lines[1]
    assert lines[2] == "-- planner 1  postgres 15+"
    assert lines[3].startswith(
        '-- step 1: create table "alert_events_v1"    lock none, instant    after sha256:'
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: "\ufeff" + t, "line 1: the file starts with a byte order mark"),
        (lambda t: t.replace("\n", "\r\n"), "line 1: the line ends with CR LF"),
        (lambda t: t[:-1], "the last line has no line end"),
        (
            lambda t: t.replace("sluice migration 0001", "sluice migration 1"),
            "line 1: expected `-- sluice migration",
        ),
        (lambda t: t.replace("phase expand", "phase maybe"), "line 1: expected"),
        (lambda t: t.replace("  previous none", ""), "line 2: expected"),
        (lambda t: t.replace("-- planner 1", "-- planner 9"), "line 3: planner 9 wrote this file"),
        (lambda t: t.replace("postgres 15+", "postgres 15"), "line 3: expected"),
        (lambda t: t.replace("-- step 1:", "SELECT 1;\n-- step 1:"), "line 4: expected `-- step 1"),
        (lambda t: t.replace("-- step 2:", "-- step 3:"), "expected step 2, found step 3"),
        (lambda t: t.replace("lock none, instant", "lock some, instant"), "line 4: expected `-- step N"),
        (lambda t: t.replace("lock none, instant", "lock none, quick"), "line 4: expected `-- step N"),
        (lambda t: "\n".join(t.split("\n")[:4]) + "\n", "line 4: step 1 has no SQL"),
        (lambda t: "", "the last line has no line end"),
        (lambda t: "hello\n", "line 1: expected"),
    ],
)
def test_a_deviation_is_named_with_its_line(text, change, says):
    with pytest.raises(files.FileError) as caught:
        files.read(change(text))
    assert says in str(caught.value)
    assert not isinstance(caught.value, files.EditedError)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("char_length", "octet_length"),
        lambda t: t + "DROP TABLE x;\n",
        lambda t: t.replace("(12,4)", "(12,5)"),
        lambda t: t.replace(");\n-- step 2", ") ;\n-- step 2"),
    ],
)
def test_edited_sql_is_told_from_a_damaged_file(text, change):
    assert change(text) != text
    with pytest.raises(files.EditedError, match="the steps' SQL has the hash sha256:"):
        files.read(change(text))


def test_a_header_that_goes_elsewhere_than_its_last_step_is_damaged(text):
    migration = files.read(text)
    with pytest.raises(ValueError, match="the last step's fingerprint"):
        files.write(replace(migration, after=ABSENT_FINGERPRINT))


def test_sql_with_a_line_that_reads_as_a_header_is_never_written(text):
    migration = files.read(text)
    first = migration.steps[0]
    line = f"-- step 2: x    lock none, instant    after {first.after}"
    smuggled = replace(first, sql=f"SELECT '\n{line}\nSELECT 1;';")
    with pytest.raises(ValueError, match=r"step 2|reads as a header"):
        files.write(replace(migration, steps=(smuggled, *migration.steps[1:])))


def test_marks_of_a_whole_file_are_read_back():
    migration = chain_of(alert_events()).files[0].migration
    edit = Edit("Fewer locks.", 18, migration.sql_sha256)
    marked = replace(migration, adopts=True, edited=edit)
    text = files.write(marked)
    assert text.split("\n")[3:5] == [
        "-- adopts what was done by hand",
        f'-- edited: "Fewer locks."  shadow postgres 18 sql {migration.sql_sha256}',
    ]
    other = text.replace(f"18 sql {migration.sql_sha256}", f"18 sql sha256:{'0' * 64}")
    with pytest.raises(files.EditedError, match="it was proven for the hash sha256:0000"):
        files.read(other)
    with pytest.raises(files.FileError, match="line 5: expected `-- edited"):
        files.read(text.replace("shadow postgres 18", "shadow"))
