"""What a policy may ask beside quantities: one of several, days between, what is carried, caps."""

from dataclasses import replace

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import Basis
from ledger.policy import DAY, AwayCap, Limit, Scope, Window
from terminal.decision import Approved
from tests.unit.terminal.cases import CLOSES, NOW, OPENS, OTHER, Case, judged

# 21 September 2026, 21.13 WIB is NOW; that day began in Palangka Raya 21 hours and 13 minutes ago.
DAY_BEGAN = 1_789_923_600


def reason(case: Case) -> Reason | None:
    verdict = judged(case)
    return verdict.reason if isinstance(verdict, Refused) else None


def test_day_of_the_tests_is_a_day_at_the_counter() -> None:
    assert DAY_BEGAN <= NOW < DAY_BEGAN + DAY
    assert (DAY_BEGAN + 7 * 3600) % DAY == 0


# --- one of several ---


def test_programme_shut_by_another_names_it_and_when_it_was_taken() -> None:
    assert judged(Case(other_taken=1)) == Refused(
        Reason.ONE_OF_TAKEN,
        Facts(
            at=NOW // 60 * 60 - 300, point="Balai Dua", terminal="T002", redemption="T002-0017",
            programme="beras",
        ),
    )  # fmt: skip


def test_programme_of_which_nothing_was_taken_shuts_nothing() -> None:
    assert isinstance(judged(Case(other_taken=0)), Approved)


@pytest.mark.parametrize(
    ("opens", "closes", "shut"),
    [
        (OPENS, CLOSES, True), (OPENS - 90 * DAY, OPENS, True), (CLOSES, CLOSES + DAY, True),
        (OPENS - 90 * DAY, OPENS - 1, False), (CLOSES + 1, CLOSES + DAY, False),
    ],
)  # fmt: skip
def test_only_windows_that_overlap_shut_each_other(opens: int, closes: int, shut: bool) -> None:
    """What was taken of a stage that was over before this one began is no choice against it."""
    case = Case(other_taken=1, other_window=Window(1, "w", opens, closes))
    assert (reason(case) is Reason.ONE_OF_TAKEN) is shut


def test_choice_is_each_persons_own() -> None:
    """The union is asked about the same person's right, not about the family's."""
    case = Case(scope=Scope.PERSON, members=(2, 5), member=5, other_taken=1)
    assert reason(case) is Reason.ONE_OF_TAKEN


def test_second_window_is_given_where_only_the_first_is_shut() -> None:
    sooner, later = Window(1, "a", OPENS, NOW + DAY), Window(2, "b", NOW - DAY, CLOSES)
    early = Window(1, "w", OPENS, NOW - 2 * DAY)
    approved = judged(Case(windows=(sooner, later), other_taken=1, other_window=early))
    assert isinstance(approved, Approved)
    assert approved.window == later


# --- days between ---


@pytest.mark.parametrize(
    ("days", "last", "again"),
    [
        (1, DAY_BEGAN, DAY_BEGAN + DAY),
        (1, DAY_BEGAN - 60, None),
        (7, DAY_BEGAN - 6 * DAY, DAY_BEGAN + DAY),
        (7, DAY_BEGAN - 6 * DAY - 60, None),
        (7, NOW - 60, DAY_BEGAN + 7 * DAY),
        (0, NOW - 60, None),
    ],
)
def test_days_between_are_days_at_the_counter(days: int, last: int, again: int | None) -> None:
    """Who came on Monday evening comes again on the Monday after, in the morning too."""
    verdict = judged(Case(taken=1, days_between=days, last_minute=last // 60))
    if again is None:
        assert isinstance(verdict, Approved)
    else:
        assert verdict == Refused(Reason.TOO_SOON, Facts(day=again))


def test_days_between_count_over_all_windows() -> None:
    first, second = Window(1, "a", OPENS, NOW - DAY), Window(2, "b", NOW - DAY, CLOSES)
    case = Case(windows=(first, second), taken={1: 1}, days_between=30)
    assert reason(case) is Reason.TOO_SOON


def test_uncertain_time_does_not_shorten_the_days_between() -> None:
    last = (DAY_BEGAN - 6 * DAY) // 60
    case = Case(taken=1, days_between=7, last_minute=last, late=NOW + 30 * DAY)
    assert reason(case) is Reason.TOO_SOON


# --- what is carried over, and the rest of a part ---

FIRST = Window(1, "Tahap 1", OPENS, NOW - 10 * DAY, carries_into=2)
SECOND = Window(2, "Tahap 2", NOW - 5 * DAY, CLOSES)


def test_what_is_left_of_a_window_is_given_in_the_one_it_carries_into() -> None:
    approved = judged(Case(windows=(FIRST, SECOND), taken={1: 1}))
    assert isinstance(approved, Approved)
    assert (approved.window, approved.left_before) == (FIRST, 2)
    spent = judged(Case(windows=(FIRST, SECOND), taken={1: 3}))
    assert isinstance(spent, Approved)
    assert (spent.window, spent.left_before) == (SECOND, 3)


def test_window_that_carries_into_none_is_over_when_it_closes() -> None:
    over = Window(1, "Tahap 1", OPENS, NOW - 10 * DAY)
    approved = judged(Case(windows=(over, SECOND), taken={2: 1}))
    assert isinstance(approved, Approved)
    assert approved.window == SECOND


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW - 10 * DAY, None), (NOW - 10 * DAY + 1, Reason.WINDOW_NOT_OPEN),
        (NOW - 5 * DAY - 1, Reason.WINDOW_NOT_OPEN), (NOW - 5 * DAY, None), (CLOSES, None),
        (CLOSES + 1, Reason.WINDOW_CLOSED),
    ],
)  # fmt: skip
def test_between_two_windows_nothing_is_carried(at: int, expected: Reason | None) -> None:
    case = Case(windows=(FIRST, SECOND), taken={2: 3}, early=at, late=at, issued=0)
    assert reason(case) is expected


def test_carried_window_is_carried_one_step_only() -> None:
    third = Window(3, "Tahap 3", NOW - DAY, CLOSES + DAY)
    second = replace_window(SECOND, closes=NOW - 2 * DAY, carries_into=3)
    approved = judged(Case(windows=(FIRST, second, third), taken={2: 3}))
    assert isinstance(approved, Approved)
    assert approved.window == third


def replace_window(window: Window, **changed: int) -> Window:
    values = {"opens": window.opens, "closes": window.closes} | changed
    return Window(window.number, window.name, **values)


REST = Window(1, "Tahap 1", OPENS, NOW - DAY, rest_until=NOW + DAY)


def test_rest_of_a_part_given_in_time_is_given_after_the_close() -> None:
    approved = judged(Case(windows=(REST,), taken=1))
    assert isinstance(approved, Approved)
    assert (approved.left_before, approved.left_after) == (2, 0)


def test_who_took_nothing_in_time_has_no_rest() -> None:
    assert judged(Case(windows=(REST,), taken=0)) == Refused(
        Reason.WINDOW_CLOSED, Facts(day=NOW - DAY)
    )


@pytest.mark.parametrize(("late", "given"), [(NOW + DAY, True), (NOW + DAY + 1, False)])
def test_rest_ends_on_its_own_day(late: int, given: bool) -> None:
    assert isinstance(judged(Case(windows=(REST,), taken=1, late=late)), Approved) is given


def test_rest_that_was_fetched_is_taken() -> None:
    assert reason(Case(windows=(REST,), taken=3)) is Reason.ALREADY_REDEEMED


# --- away from home ---

AWAY = Case(home=OTHER)


@pytest.mark.parametrize(
    ("cap", "served", "given"),
    [(None, 8, True), (3, 2, True), (3, 3, False), (1, 0, True), (1, 1, False), (0, 0, False)],
)
def test_programme_is_given_away_to_so_many_households(
    cap: int | None, served: int, given: bool
) -> None:
    verdict = judged(replace(AWAY, quota=20, cap=AwayCap(cap), programme_served=served))
    if given:
        assert isinstance(verdict, Approved)
    else:
        assert verdict == Refused(Reason.AWAY_PROGRAMME_USED, Facts(point="Balai Dua", count=cap))


def test_household_served_away_already_is_not_counted_twice_by_programme() -> None:
    case = replace(AWAY, cap=AwayCap(1), given_away=1, taken=1)
    assert isinstance(judged(case), Approved)


def test_away_cap_cuts_what_is_given_when_nothing_is_asked() -> None:
    approved = judged(replace(AWAY, cap=AwayCap(None, 2), owed=5, taken=1, given_away=1, price=10))
    assert isinstance(approved, Approved)
    assert (approved.quantity, approved.left_before, approved.left_after) == (1, 4, 3)
    assert (approved.pays, approved.basis) == (10, Basis.AWAY)


@pytest.mark.parametrize(
    ("asked", "given_away", "still"), [(2, 1, 1), (None, 2, 0), (1, 3, 0), (3, 0, 2)]
)
def test_more_than_may_be_given_away_says_how_much_may(
    asked: int | None, given_away: int, still: int
) -> None:
    case = replace(AWAY, cap=AwayCap(None, 2), owed=5, asked=asked, given_away=given_away)
    assert judged(case) == Refused(Reason.AWAY_PART_USED, Facts(point="Balai Dua", count=still))


def test_programme_that_is_never_given_away_is_given_at_home() -> None:
    never = AwayCap(0, 0)
    assert isinstance(judged(Case(cap=never)), Approved)
    assert reason(replace(AWAY, cap=never)) is Reason.AWAY_PROGRAMME_USED
    assert reason(replace(AWAY, cap=AwayCap(None, 0))) is Reason.AWAY_PART_USED


def test_caps_bind_a_recorded_status_too() -> None:
    case = replace(AWAY, limit=Limit.STATUS, cap=AwayCap(None, 1), given_away=1)
    assert reason(case) is Reason.AWAY_PART_USED


# --- what the family pays ---


@pytest.mark.parametrize(("class_price", "pays"), [(None, 45_000), (0, 0), (5_000, 15_000)])
def test_class_may_pay_another_price(class_price: int | None, pays: int) -> None:
    approved = judged(Case(price=15_000, class_price=class_price))
    assert isinstance(approved, Approved)
    assert (approved.quantity, approved.pays) == (3, pays)
