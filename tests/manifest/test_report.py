from __future__ import annotations

import io
import json
import re

import pytest

from compiler.problems import Problem, Severity
from compiler.report import as_github, as_json, as_markdown, as_text, summary, write_text

ERROR = Problem("a.json", "unknown-field", 'There is no field "x".', "$.x", 3, 7, 'Did you mean "y"?')
WARNING = Problem("b.sql", "chain-missing", "Not yet.", severity=Severity.WARNING)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_is_a_line_for_each_problem() -> None:
    assert as_text([ERROR, WARNING]) == (
        'a.json:3:7 $.x: There is no field "x". Did you mean "y"? [unknown-field]\n'
        "b.sql: warning: Not yet. [chain-missing]\n"
    )


def test_a_pipe_gets_plain_text() -> None:
    stream = io.StringIO()
    write_text([ERROR, WARNING], stream)
    assert stream.getvalue() == as_text([ERROR, WARNING])


def test_a_terminal_gets_colours_and_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    write_text([ERROR, WARNING], stream)
    assert "\x1b[" in stream.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert plain == as_text([ERROR, WARNING]).replace("There", "error: There")


def test_what_a_problem_lacks_is_null_in_json() -> None:
    problems = json.loads(as_json([WARNING], 1))["problems"]
    assert problems == [
        {
            "file": "b.sql",
            "line": None,
            "column": None,
            "pointer": None,
            "rule": "chain-missing",
            "severity": "warning",
            "message": "Not yet.",
            "fix": None,
        }
    ]


def test_the_summary_counts_warnings_apart() -> None:
    assert summary([], 3) == "3 datasets, 0 problems"
    assert summary([ERROR], 1) == "1 dataset, 1 problem"
    assert summary([ERROR, ERROR, WARNING, WARNING], 2) == "2 datasets, 2 problems, 2 warnings"


def test_github_gets_a_workflow_command_a_problem() -> None:
    assert as_github([ERROR, WARNING]) == (
        '::error file=a.json,line=3,col=7,title=unknown-field::$.x: There is no field "x". Did you mean "y"?\n'
        "::warning file=b.sql,title=chain-missing::Not yet.\n"
    )


def test_a_workflow_command_cannot_be_broken_out_of() -> None:
    hostile = Problem("a,b:c%\n.json", "rule", "100%\r\n::error::no, really: no", "$.x")
    (line,) = as_github([hostile]).splitlines()
    assert line == ("::error file=a%2Cb%3Ac%25%0A.json,title=rule::$.x: 100%25%0D%0A::error::no, really: no")


def test_markdown_is_a_table_under_the_summary() -> None:
    assert as_markdown([ERROR, WARNING], 2).splitlines() == [
        "### sluice check",
        "",
        "2 datasets, 1 problem, 1 warning.",
        "",
        "| | where | what | how to mend it | rule |",
        "|---|---|---|---|---|",
        '| error | a.json:3:7 \\$.x | There is no field "x". | Did you mean "y"? | unknown-field |',
        "| warning | b.sql | Not yet. |  | chain-missing |",
    ]


def test_markdown_without_problems_is_the_summary() -> None:
    assert as_markdown([], 3) == "### sluice check\n\n3 datasets, 0 problems.\n"


def test_what_stands_in_a_manifest_stays_text_in_markdown() -> None:
    hostile = Problem("a.json", "rule", "a|b\n<img src=x> `c` [d](e) @team **f**")
    (row,) = as_markdown([hostile], 1).splitlines()[6:]
    assert row == (
        "| error | a.json | a\\|b \\<img src=x\\> \\`c\\` \\[d\\](e) @\u200bteam \\*\\*f\\*\\* |  | rule |"
    )
