"""Who comes together is served together, each with the outcome of their own."""

import threading
from collections.abc import Callable, Sequence

import pytest

from sync_agent.province.together import Together


def together(act: Callable[[Sequence[int]], list[int]], most: int) -> Together[int, int]:
    return Together(act, most=most, failures=(ValueError,))


def test_who_comes_alone_is_served_alone() -> None:
    alone = together(lambda items: [item * 2 for item in items], 9)
    assert [alone.join(n) for n in range(3)] == [0, 2, 4]


def meet(served: Together[int, int], started: threading.Event, count: int) -> dict[int, object]:
    """Join from many threads, all while the first one is being served."""
    found: dict[int, object] = {}

    def join(number: int) -> None:
        try:
            found[number] = served.join(number)
        except (ValueError, ZeroDivisionError) as error:
            found[number] = error

    threads = [threading.Thread(target=join, args=(n,)) for n in range(count)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(served._waiting) < count - 1:
        threading.Event().wait(0.001)
    return_all.set()
    for thread in threads:
        thread.join(10)
    return found


return_all = threading.Event()


@pytest.fixture(autouse=True)
def fresh() -> None:
    return_all.clear()


def test_those_who_wait_are_served_at_once_but_no_more_than_allowed() -> None:
    started, groups = threading.Event(), []

    def act(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        started.set()
        assert return_all.wait(10)
        return [item * 2 for item in items]

    found = meet(together(act, 4), started, 11)
    assert found == {n: n * 2 for n in range(11)}
    assert [len(group) for group in groups] == [1, 4, 4, 2]


def test_one_at_fault_fails_alone() -> None:
    started = threading.Event()

    def act(items: Sequence[int]) -> list[int]:
        started.set()
        assert return_all.wait(10)
        if 3 in items:
            raise ValueError("three")
        return list(items)

    found = meet(together(act, 20), started, 8)
    assert str(found.pop(3)) == "three"
    assert found == {n: n for n in range(8) if n != 3}


def test_store_that_is_gone_is_not_waited_for_once_for_each() -> None:
    started, tried = threading.Event(), []

    def act(items: Sequence[int]) -> list[int]:
        started.set()
        assert return_all.wait(10)
        tried.append(len(items))
        raise ValueError("gone")

    found = meet(together(act, 50), started, 40)
    assert all(isinstance(outcome, ValueError) for outcome in found.values())
    assert tried == [1, 39, 1, 1]


def test_defect_ends_one_and_keeps_nobody_else_waiting() -> None:
    started = threading.Event()

    def act(items: Sequence[int]) -> list[int]:
        started.set()
        assert return_all.wait(10)
        if 5 in items:
            raise ZeroDivisionError
        return list(items)

    found = meet(together(act, 3), started, 9)
    failed = {n for n, outcome in found.items() if isinstance(outcome, ZeroDivisionError)}
    assert len(found) == 9
    assert 5 in failed
    assert all(found[n] == n for n in set(found) - failed)
