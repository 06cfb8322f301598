"""The union of elements: no order, no repetition, no road changes what is left."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.element import Element, RedemptionId, Right
from ledger.entry import Void
from ledger.journal import Journal
from ledger.usage_file import write_usage
from tests.unit.ledger import journals
from tests.unit.ledger.journals import RIGHT, commit, fresh, rows
from tests.unit.ledger.samples import HOUSEHOLD, LEAF

ONE = Element(RedemptionId(2, 1, 7), LEAF, RIGHT, 2, 29_000_000)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return fresh(tmp_path)


def take(journal: Journal, number: int, *elements: Element) -> int:
    """Join a usage segment."""
    with journal.act() as act:
        return act.known.take_segment(write_usage("629901", number, elements))


def total(journal: Journal, right: Right = RIGHT) -> int:
    return journal.known().taken(right).total


def test_same_element_by_any_road_counts_once(journal: Journal) -> None:
    assert take(journal, 1, ONE, ONE) == 1
    assert take(journal, 2, ONE) == 0
    assert total(journal) == 2


def test_own_redemption_that_comes_back_as_usage_counts_once(journal: Journal) -> None:
    mine = commit(journal, journals.given(2))[0].element()
    assert mine is not None
    assert take(journal, 1, mine) == 0
    assert total(journal) == 2


def test_two_leaves_under_one_id_both_count(journal: Journal) -> None:
    take(journal, 1, ONE, replace(ONE, leaf=b"another!"))
    assert total(journal) == 4


def test_element_is_not_hidden_by_another_named_under_its_id_and_leaf_first(
    journal: Journal,
) -> None:
    """The key on the network can only take away: a lie adds to what is taken, never hides."""
    elsewhere = replace(ONE, right=replace(RIGHT, household=b"another!"))
    take(journal, 1, elsewhere, replace(ONE, quantity=0))
    take(journal, 2, ONE)
    assert total(journal) == 2


def test_right_is_told_apart_in_every_part(journal: Journal) -> None:
    take(journal, 1, ONE)
    for other in (
        replace(RIGHT, household=b"another!"), replace(RIGHT, member=1),
        replace(RIGHT, programme=2), replace(RIGHT, window=2),
    ):  # fmt: skip
        assert total(journal, other) == 0


def test_latest_element_says_when_and_where(journal: Journal) -> None:
    later = replace(ONE, id=RedemptionId(1, 1, 3), minute=ONE.minute + 1)
    same = replace(later, id=RedemptionId(1, 1, 2))
    take(journal, 1, later, ONE, same)
    assert journal.known().taken(RIGHT).latest == later
    assert journal.known().taken(replace(RIGHT, member=9)).latest is None


def test_void_takes_out_my_redemption_and_no_other(journal: Journal) -> None:
    commit(journal, journals.given(1), journals.given(1))
    take(journal, 1, replace(ONE, id=RedemptionId(2, 1, 1)), replace(ONE, id=RedemptionId(1, 2, 1)))
    commit(journal, Void(1, "salah", "WK"))
    assert total(journal) == 1 + 2 + 2
    commit(journal, Void(1, "salah", "WK"))
    assert len(rows(journal.path, "voided")) == 1


def test_segments_taken_are_known_by_their_bytes(journal: Journal) -> None:
    known = journal.known()
    assert known.all_segments() == frozenset()
    take(journal, 1, ONE)
    take(journal, 1)
    assert known.segments("629901") == known.all_segments()
    assert (len(known.all_segments()), known.segments("629902")) == (2, set())


elements = st.builds(
    Element,
    id=st.builds(RedemptionId, st.integers(2, 4), st.just(1), st.integers(1, 5)),
    leaf=st.sampled_from([LEAF, b"another!"]),
    right=st.builds(Right, st.just(HOUSEHOLD), st.just(0), st.integers(1, 2), st.just(1)),
    quantity=st.integers(1, 3),
    minute=st.just(29_000_000),
)


@given(roads=st.lists(st.lists(elements, max_size=6), max_size=4), order=st.randoms())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_two_views_that_have_met_are_equal(
    tmp_path_factory: pytest.TempPathFactory, roads: list[list[Element]], order: Random
) -> None:
    views = []
    everything = [element for road in roads for element in road]
    for _ in range(2):
        journal = fresh(tmp_path_factory.mktemp("view"))
        order.shuffle(everything)
        for number in range(1, 4):
            take(journal, number, *everything[number - 1 :: 2], *everything)
        views.append([sorted(rows(journal.path, "element")), total(journal)])
        journal.close()
    assert views[0] == views[1]
    assert views[0][1] == sum(e.quantity for e in set(everything) if e.right == RIGHT)
