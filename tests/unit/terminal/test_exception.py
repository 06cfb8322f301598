"""The counted exception: two officers give in spite of a fault that is not the family's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import Basis, Commit, Excepted, Pending, Redemption, Refusal
from ledger.policy import DAY, ExceptionQuota
from terminal.counter import Presentation, Redeemed
from terminal.decision import Verdict
from terminal.errors import SecondPersonError
from tests.chip_recovery import flush
from tests.chip_town import PANGAN, Town, make_town

TWO_OFFICERS = replace(PANGAN, second="WK")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    town.world.exceptions = (
        ExceptionQuota(Reason.CARD_HISTORY_INCOMPLETE, 1),
        ExceptionQuota(Reason.USE_CHIP, 2),
    )
    town.publish()
    yield town
    town.close()


def show_paper(town: Town, at: int, family: bytes, second: str | None = "WK") -> Redeemed | Verdict:
    """The QR of a family whose chip is dead or at home."""
    paper = Presentation(town.world.card(family))
    return town.counters[at].redeem(paper, replace(PANGAN, second=second))


def test_dead_chip_is_served_at_home_by_two_officers_and_counted(town: Town) -> None:
    family = town.family()
    assert show_paper(town, 1, family, None) == Refused(Reason.USE_CHIP)
    outcome = show_paper(town, 1, family)
    assert isinstance(outcome, Redeemed)
    _, said, given = town.entries(1)
    assert said.content == Excepted("use_chip", family, 0, 1, "WK")
    assert isinstance(given.content, Redemption)
    assert given.content.basis is Basis.EXCEPTION
    assert town.journal_holds(1) == ()


def test_quota_of_a_day_bounds_them_and_begins_anew(town: Town) -> None:
    for _ in range(2):
        assert isinstance(show_paper(town, 1, town.family()), Redeemed)
    family = town.family()
    used = Refused(Reason.EXCEPTION_QUOTA_USED, Facts(count=2))
    assert show_paper(town, 1, family) == used
    assert isinstance(town.entries(1)[-1].content, Refusal)
    town.world.clock.pass_time(DAY)
    assert isinstance(show_paper(town, 1, family), Redeemed)


def test_nothing_but_the_named_reason_is_set_aside(town: Town) -> None:
    family = town.family()
    assert isinstance(town.tap(1, town.card(family)), Redeemed)
    refused = show_paper(town, 1, family)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ALREADY_REDEEMED
    assert not any(isinstance(e.content, Excepted) for e in town.entries(1))


def test_away_from_home_the_chip_is_asked_for_all_the_same(town: Town) -> None:
    assert show_paper(town, 2, town.family()) == Refused(Reason.USE_CHIP)


def test_officer_alone_is_not_two(town: Town) -> None:
    family = town.family()
    for second in ("uji", ""):
        with pytest.raises(SecondPersonError):
            show_paper(town, 1, family, second)
    assert town.entries(1) == []


def test_policy_that_names_no_exception_allows_none(town: Town) -> None:
    town.world.exceptions = ()
    town.publish()
    assert show_paper(town, 1, town.family()) == Refused(Reason.USE_CHIP)


def test_where_no_exception_is_needed_none_is_counted(town: Town) -> None:
    outcome = town.tap(1, town.card(town.family()), request=TWO_OFFICERS)
    assert isinstance(outcome, Redeemed)
    assert [type(e.content) for e in town.entries(1)] == [Pending, Commit]
    assert outcome.approved.basis is Basis.HOME


def test_card_with_a_gap_is_served_at_home_and_writes_its_record(town: Town) -> None:
    card = town.card(town.family())
    flush(town, card)
    refused = town.tap(1, card)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.CARD_HISTORY_INCOMPLETE
    outcome = town.tap(1, card, request=TWO_OFFICERS)
    assert isinstance(outcome, Redeemed)
    said, pending, commit = town.entries(1)[-3:]
    assert isinstance(said.content, Excepted)
    assert isinstance(pending.content, Pending)
    assert (pending.content.basis, type(commit.content)) == (Basis.EXCEPTION, Commit)
    assert town.journal_holds(1) == ()
