"""Which stack deploys which dataset: assigned once, moved never."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.manifest.assignment import MOST, Assignment, assign
from tests.manifest.test_removal import commit, git, orders, rules, sluice

__all__ = ["orders"]

NAMES = st.dictionaries(
    st.text("abc", min_size=1, max_size=4), st.sampled_from(["shop", "risk"]), max_size=130
)


def stack(name: str, *datasets: str, owner: str = "shop") -> None:
    path = Path(f"stacks/{name}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(Assignment(name, owner, datasets).text())


@given(NAMES, NAMES)
def test_adding_datasets_moves_none_and_fills_no_stack_beyond_its_limit(before, more):
    first, _ = assign((), before)
    owners = {**more, **before}
    second, changed = assign(first, owners)
    placed = [(name, one.stack) for one in second for name in one.datasets]
    assert sorted(name for name, _ in placed) == sorted(owners)
    assert all(len(one.datasets) <= MOST for one in second)
    was = {one.stack: one.datasets for one in first}
    now = {one.stack: one for one in second}
    assert all(now[name].datasets[: len(datasets)] == datasets for name, datasets in was.items())
    assert all(owners[name] == now[place].owner for name, place in placed)
    assert set(changed) == {name for name, one in now.items() if was.get(name, ()) != one.datasets}
    assert assign(second, owners) == (second, ())


def test_assign_writes_the_files_that_check_asks_for(orders: Path) -> None:
    stack("shop", "orders")
    assert rules() == ["stack-unassigned"]
    assert sluice("stacks", "assign", "--check").exit_code == 1
    assert rules() == ["stack-unassigned"]
    assert "stacks/shop.json: 2 datasets" in sluice("stacks", "assign").stdout
    assert json.loads(Path("stacks/shop.json").read_text())["datasets"] == ["orders", "visits"]
    assert rules() == []
    assert sluice("stacks", "assign", "--check").exit_code == 0


def test_assign_begins_where_there_is_no_stack(orders: Path) -> None:
    assert rules() == []
    assert sluice("stacks", "assign").exit_code == 0
    assert sorted(path.name for path in Path("stacks").iterdir()) == ["shop.json"]


@pytest.mark.parametrize(
    ("more", "rule", "told"),
    [
        (("orders",), "stack-assigned-twice", '"orders" is in the stack "a" already.'),
        (("visit",), "stack-unknown-dataset", 'There is no dataset "visit". Did you mean "visits"?'),
    ],
)
def test_what_is_wrong_in_the_stacks_is_told_with_its_place(orders: Path, more, rule, told) -> None:
    stack("a", "orders", "visits")
    stack("b", *more)
    assert rules() == [rule]
    assert f"stacks/b.json:4:5 $.datasets[0]: {told}" in sluice("check").stderr


def test_a_malformed_file_hides_nothing_in_the_others_or_in_itself(orders: Path) -> None:
    stack("a", "orders", "nothing")
    path = Path("stacks/a.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "ownr": "x"}))
    stack("b", "orders", "visits")
    stack("c", "visit")
    assert rules() == [
        "stack-unknown-dataset",
        "unknown-field",
        "stack-assigned-twice",
        "stack-unknown-dataset",
    ]


def test_a_dataset_that_stands_twice_in_a_full_file_is_named(orders: Path) -> None:
    stack("a", "orders", "orders", *(f"d{number}" for number in range(MOST)))
    found = sluice("check").stderr
    assert "has more than 50 items" in found
    assert 'A list of 52 items holds "orders" twice.' in found


def test_a_file_is_named_as_a_stack_can_be(orders: Path) -> None:
    stack("Prod.eu-1", "orders", "visits")
    assert rules() == []
    Path("stacks/Prod.eu-1.json").rename("stacks/Bad Name.json")
    assert rules() == ["stack-name"]
    assert '"Bad Name" is no name of a stack' in sluice("check").stderr


def test_an_empty_file_is_not_told_of_fields_that_it_has_not(orders: Path) -> None:
    stack("a", "orders", "visits")
    Path("stacks/a.json").write_text("")
    assert "The file is empty. Write a JSON object. [" in sluice("check").stderr


def test_a_stack_of_more_than_its_limit_is_refused(orders: Path) -> None:
    stack("a", *(f"d{number}" for number in range(MOST + 1)))
    assert "has more than 50 items" in sluice("check").stderr


@pytest.mark.parametrize(
    ("path", "touched"),
    [
        ("datasets/orders/dataset.json", ["a"]),
        ("datasets/visits/examples/valid/new.json", ["b"]),
        ("Pulumi.prod_a.yaml", ["a"]),
        ("Pulumi.b.yaml", ["b"]),
        ("Pulumi.embedded.yaml", []),
        ("docs/x.md", []),
        ("README.md", []),
        ("__main__.py", ["a", "b"]),
        ("requirements/runtime.txt", ["a", "b"]),
    ],
)
def test_a_change_touches_the_stacks_that_it_is_about(orders: Path, path: str, touched: list[str]) -> None:
    stack("a", "orders")
    stack("b", "visits")
    commit()
    assert sluice("stacks", "affected", "main").stdout == ""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("config: {'sluice:assignment': a}" if file.name == "Pulumi.prod_a.yaml" else "changed")
    assert sluice("stacks", "affected", "main").stdout.split() == touched
    git("checkout", "-q", "-b", "work")
    commit()
    assert json.loads(sluice("stacks", "affected", "main", "--format", "json").stdout) == touched


def test_a_dataset_that_is_gone_touches_the_stack_that_had_it(orders: Path) -> None:
    stack("a", "orders")
    stack("b", "visits")
    commit()
    git("rm", "-r", "-q", "datasets/orders")
    stack("a")
    assert sluice("stacks", "affected", "main").stdout.split() == ["a"]
