from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from compiler import spread as module
from compiler.spread import spread
from tests.support.waiting import until


def times_ten(item: int) -> tuple[int, int]:
    return item * 10, os.getpid()


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_processors", lambda: 2)
    monkeypatch.setattr("threading.active_count", lambda: 1)


@pytest.mark.parametrize("count", [0, 1, 5, 199, 200, 201, 1001])
def test_results_keep_the_order_of_the_items(count: int) -> None:
    results = spread(times_ten, range(count))
    assert [value for value, _ in results] == [item * 10 for item in range(count)]


def test_many_items_are_worked_on_by_two_processes_and_few_by_one(tmp_path: Path) -> None:
    def together(item: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        return os.getpid()

    assert len(set(spread(together, range(1000)))) == 2
    assert {process for _, process in spread(times_ten, range(50))} == {os.getpid()}


def test_each_item_is_worked_on_once(tmp_path: Path) -> None:
    def mark(item: int) -> None:
        (tmp_path / str(item)).touch(exist_ok=False)

    assert spread(mark, range(12_345)) == [None] * 12_345


def test_an_error_in_a_child_shows_in_the_parent() -> None:
    def fail_at_odd(item: int) -> int:
        if item == 501:
            raise LookupError(item)
        return item

    with pytest.raises(LookupError, match="501"):
        spread(fail_at_odd, range(1000))


def test_a_child_that_dies_leaves_its_work_to_the_parent() -> None:
    parent = os.getpid()

    def die_in_the_child(item: int) -> int:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert spread(die_in_the_child, range(1000)) == list(range(1000))
