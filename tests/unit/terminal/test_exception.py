"""The counted exception: two officers give in spite of a fault that is not the family's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import (
    Basis,
    Commit,
    Excepted,
    Handover,
    Pending,
    Redemption,
    Refusal,
)
from ledger.policy import DAY, ExceptionQuota
from terminal.counter import Presentation, Redeemed
from terminal.decision import Verdict
from terminal.errors import SecondPersonError
from tests.chip_recovery import flush
from tests.chip_town import PANGAN, Town, make_town
from tests.point import Point, make_point
from virtual_card.link import Fault

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


def point_that_may(tmp_path: Path, *exceptions: ExceptionQuota, away: int = 0) -> Point:
    point = make_point(tmp_path, away=away)
    point.world.exceptions = exceptions
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    return point


def by_two(point: Point, name: str) -> Redeemed | Verdict:
    return point.counter.redeem(Presentation(point.cards[name]), TWO_OFFICERS)


def test_ledger_too_old_is_served_by_two_officers_so_often_a_day(tmp_path: Path) -> None:
    point = point_that_may(tmp_path, ExceptionQuota(Reason.LEDGER_TOO_OLD, 1))
    point.world.clock.pass_time(40 * DAY)
    assert point.show("mawar") == Refused(Reason.LEDGER_TOO_OLD)
    outcome = by_two(point, "mawar")
    assert isinstance(outcome, Redeemed)
    assert outcome.approved.basis is Basis.EXCEPTION
    assert by_two(point, "anggrek") == Refused(Reason.EXCEPTION_QUOTA_USED, Facts(count=1))
    again = by_two(point, "mawar")
    assert isinstance(again, Refused)
    assert again.reason is Reason.ALREADY_REDEEMED
    kinds = [type(e.content) for e, _ in point.counter._desk.journal.tail(100)]
    assert kinds == [Refusal, Excepted, Redemption, Handover, Refusal, Refusal]
    point.counter.close()


def test_family_of_elsewhere_is_served_beyond_the_quota_and_takes_nothing_from_it(
    tmp_path: Path,
) -> None:
    point = point_that_may(tmp_path, ExceptionQuota(Reason.NOT_SERVED_AWAY, 1))
    before = point.counter.exposure()
    outcome = by_two(point, "melati")
    assert isinstance(outcome, Redeemed)
    assert outcome.approved.basis is Basis.EXCEPTION
    after = point.counter.exposure()
    worth = 150_000
    # It may have been given at home too: what could be has become what was.
    assert (before.given, before.twice) == (0, 0)
    assert before.by_exception >= worth
    assert (after.given, after.away_households) == (worth, 0)
    point.counter.close()


def test_genuine_card_that_is_not_listed_here_gets_one_unit_once(tmp_path: Path) -> None:
    point = point_that_may(tmp_path, ExceptionQuota(Reason.RIGHT_NOT_HERE, 2))
    assert point.show("asing") == Refused(Reason.RIGHT_NOT_HERE)
    outcome = by_two(point, "asing")
    assert isinstance(outcome, Redeemed)
    assert (outcome.approved.quantity, outcome.approved.basis) == (1, Basis.EXCEPTION)
    again = by_two(point, "asing")
    assert isinstance(again, Refused)
    assert again.reason is Reason.ALREADY_REDEEMED
    kinds = [type(e.content) for e, _ in point.counter._desk.journal.tail(100)]
    assert kinds == [Refusal, Excepted, Redemption, Handover, Refusal]
    assert point.counter.exposure().given == 150_000
    point.counter.close()


def test_chip_that_is_not_listed_here_and_left_at_the_commit_gets_its_goods(
    tmp_path: Path,
) -> None:
    town = make_town(tmp_path, (ExceptionQuota(Reason.RIGHT_NOT_HERE, 1),))
    card = town.card(b"unlisted")
    outcome = town.tap(1, card, request=TWO_OFFICERS, faults={14: Fault.ANSWER_LOST})
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CARD_UNFINISHED
    again = town.tap(1, card)  # one officer is enough: it was given when two agreed
    assert isinstance(again, Redeemed)
    assert (again.recovered, again.approved.basis) == (True, Basis.EXCEPTION)
    kinds = [type(e.content) for e in town.entries(1)]
    assert kinds == [Excepted, Pending, Commit]
    town.close()
