"""What two officers may set aside: that one reason, and nothing else that stands against it."""

from dataclasses import replace

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.entry import Basis
from ledger.policy import DAY, AwayCap, Limit, Scope, Window
from ledger.rights_file import FLAG_CHIP
from terminal.decision import Approved
from terminal.place import OF_FAMILIES, SET_ASIDE_AT_HOME, SET_ASIDE_AWAY
from tests.unit.terminal.cases import CLOSES, NOW, OPENS, OTHER, WINDOW, Case, judged

HOME = {
    Reason.USE_CHIP: Case(flags=FLAG_CHIP),
    Reason.CARD_HISTORY_INCOMPLETE: Case(gap=True, can_be_asked=True),
    Reason.LEDGER_TOO_OLD: Case(away_percent=None),
}
AWAY = {
    Reason.NOT_SERVED_AWAY: Case(home=OTHER, quota=0),
    Reason.AWAY_QUOTA_USED: Case(home=OTHER, served=5),
    Reason.AWAY_PROGRAMME_USED: Case(home=OTHER, cap=AwayCap(households=1), programme_served=1),
    Reason.AWAY_PART_USED: Case(home=OTHER, cap=AwayCap(quantity=1), asked=3),
    Reason.LEDGER_STALE: Case(home=OTHER, served=3, away_percent=50),
    Reason.LEDGER_TOO_OLD: Case(home=OTHER, away_percent=None),
    Reason.RIGHT_NOT_HERE: Case(listed=False, home=None),
}
EVERY = [*HOME.items(), *AWAY.items()]


def reason(case: Case) -> Reason | None:
    verdict = judged(case)
    return verdict.reason if isinstance(verdict, Refused) else None


def test_every_reason_that_may_be_set_aside_has_its_case() -> None:
    assert frozenset(HOME) == SET_ASIDE_AT_HOME
    assert frozenset(AWAY) == SET_ASIDE_AWAY


@pytest.mark.parametrize(("why", "case"), EVERY)
def test_reason_set_aside_is_given_by_exception(why: Reason, case: Case) -> None:
    assert reason(case) is why
    verdict = judged(replace(case, waived=why))
    assert isinstance(verdict, Approved)
    owed = 1 if why is Reason.RIGHT_NOT_HERE else 3
    assert (verdict.basis, verdict.quantity) == (Basis.EXCEPTION, owed)
    assert verdict.away_left is None  # it takes nothing from the quota


@pytest.mark.parametrize(("why", "case"), EVERY)
def test_no_other_reason_sets_it_aside(why: Reason, case: Case) -> None:
    for other in (SET_ASIDE_AT_HOME | SET_ASIDE_AWAY) - {why}:
        if {why, other} <= OF_FAMILIES:
            continue  # all of these are about how many families: who sets one aside has said that
        assert reason(replace(case, waived=other)) is why


@pytest.mark.parametrize(("why", "case"), EVERY)
def test_what_was_taken_stays_taken(why: Reason, case: Case) -> None:
    assert reason(replace(case, taken=3, waived=why)) is Reason.ALREADY_REDEEMED


@pytest.mark.parametrize(
    ("case", "waived", "stands"),
    [
        (Case(home=OTHER, served=5, away_percent=None), Reason.AWAY_QUOTA_USED,
         Reason.LEDGER_TOO_OLD),
        (Case(home=OTHER, flags=FLAG_CHIP), Reason.USE_CHIP, Reason.USE_CHIP),
        (Case(flags=FLAG_CHIP, away_percent=None), Reason.USE_CHIP, Reason.LEDGER_TOO_OLD),
        (Case(flags=FLAG_CHIP, away_percent=None), Reason.LEDGER_TOO_OLD, Reason.USE_CHIP),
        (Case(home=OTHER, served=5, cap=AwayCap(households=1), programme_served=1),
         Reason.AWAY_QUOTA_USED, Reason.AWAY_PROGRAMME_USED),
    ],
)  # fmt: skip
def test_second_reason_stands(case: Case, waived: Reason, stands: Reason) -> None:
    assert reason(replace(case, waived=waived)) is stands


UNLISTED = Case(listed=False, home=None, waived=Reason.RIGHT_NOT_HERE)
EARLIER = Window(2, "Tahap 0", OPENS, CLOSES - DAY)


@pytest.mark.parametrize(
    ("case", "stands"),
    [
        (replace(UNLISTED, asked=2), Reason.MORE_THAN_LEFT),
        (replace(UNLISTED, limit=Limit.STATUS, asked=9), Reason.MORE_THAN_LEFT),
        (replace(UNLISTED, scope=Scope.PERSON, member=2), Reason.RIGHT_NOT_HERE),
        (replace(UNLISTED, early=CLOSES + 1, late=CLOSES + 1), Reason.WINDOW_CLOSED),
        (replace(UNLISTED, expires=NOW - 1), Reason.EXPIRED),
        (replace(UNLISTED, audience="LAIN"), Reason.WRONG_AUDIENCE),
        (replace(UNLISTED, other_taken=1), Reason.ONE_OF_TAKEN),
        (replace(UNLISTED, windows=(WINDOW, EARLIER), taken={1: 1}, days_between=20),
         Reason.TOO_SOON),
        (replace(UNLISTED, away_percent=None), Reason.LEDGER_TOO_OLD),
        (replace(UNLISTED, gap=True), Reason.CARD_HISTORY_INCOMPLETE),
    ],
)  # fmt: skip
def test_family_that_is_not_listed_here_gets_one_unit_and_all_else_stands(
    case: Case, stands: Reason
) -> None:
    assert reason(case) is stands


def test_part_given_by_exception_counts_against_the_part_that_is_given_away() -> None:
    away = Case(home=OTHER, cap=AwayCap(quantity=1), taken=1, given_by_exception=1)
    assert reason(away) is Reason.AWAY_PART_USED
    by_two = replace(away, quota=0, waived=Reason.NOT_SERVED_AWAY)
    assert reason(by_two) is Reason.AWAY_PART_USED
