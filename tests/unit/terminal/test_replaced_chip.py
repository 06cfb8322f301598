"""A chip that replaced another: neither knows what the other took; nothing goes out twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_codec.credential import CardKind, Credential
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.clock import day_begins
from ledger.entry import Basis, Excepted, Pending, Refusal
from ledger.policy import DAY, ExceptionQuota, FreshnessStep, Policy, Window
from terminal.chip_history import alone_from
from terminal.counter import Redeemed, Request
from tests.chip_town import PANGAN, Town, make_town
from tests.unit.ledger.samples import POLICY
from tests.world import KEC_1, NOW
from virtual_card.desfire import DesfireCard

TWO_OFFICERS = Request("pangan", second="DUA")
QUIET, LAST = 30, 30
CLEAR = day_begins(NOW + (QUIET + LAST) * DAY) + DAY
"""From when a window opens that the old card can be served in nowhere."""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path, (ExceptionQuota(Reason.CARD_HISTORY_INCOMPLETE, 1),))
    yield town
    town.close()


def replaced(town: Town) -> tuple[bytes, DesfireCard, DesfireCard]:
    """A family, its lost chip and the next one; counter 2 has not heard of it."""
    family = town.family()
    old = town.card(family)
    rows = town.world.rows[KEC_1]
    rows[family] = replace(rows[family], issue=2)
    town.world.publish()
    town.world.bring(town.folders[1])
    assert town.counters[1].take_in_box().problem is None
    return family, old, town.card(family, issue=2, issued=NOW)


def test_replacement_is_given_nothing_by_itself_while_the_old_chip_may_be(town: Town) -> None:
    family, old, new = replaced(town)
    for at in (1, 2):
        outcome = town.tap(at, new)
        assert outcome == Refused(Reason.CARD_HISTORY_INCOMPLETE, Facts(day=CLEAR))
        assert [type(e.content) for e in town.entries(at, family)] == [Refusal]
        assert town.journal_holds(at) == ()
    assert isinstance(town.tap(2, old), Redeemed)  # it cannot know better
    assert new.mac_file.counter == 1


def test_two_officers_give_to_a_replacement_at_home_and_are_counted(town: Town) -> None:
    family, _, new = replaced(town)
    outcome = town.tap(1, new, request=TWO_OFFICERS)
    assert isinstance(outcome, Redeemed)
    said, pending = (e.content for e in town.entries(1, family))
    assert isinstance(said, Excepted)
    assert said.reason == Reason.CARD_HISTORY_INCOMPLETE
    assert isinstance(pending, Pending)
    assert (pending.basis, pending.issue) == (Basis.EXCEPTION, 2)
    assert town.journal_holds(1) == ()


def test_away_from_home_not_even_two_officers_give_to_a_replacement(town: Town) -> None:
    family, _, new = replaced(town)
    outcome = town.tap(2, new, request=TWO_OFFICERS)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.CARD_HISTORY_INCOMPLETE
    assert [type(e.content) for e in town.entries(2, family)] == [Refusal]


def test_day_quota_of_replacements_is_that_of_chips_with_a_gap(town: Town) -> None:
    first, second = replaced(town)[2], replaced(town)[2]
    assert isinstance(town.tap(1, first, request=TWO_OFFICERS), Redeemed)
    assert town.tap(1, second, request=TWO_OFFICERS) == Refused(
        Reason.EXCEPTION_QUOTA_USED, Facts(count=1)
    )


def test_what_chips_do_not_carry_is_given_to_a_replacement_as_to_any(town: Town) -> None:
    _, _, new = replaced(town)
    assert isinstance(town.tap(1, new, request=Request("klinik", 2, 1)), Redeemed)


def test_window_that_opens_late_enough_is_served_to_the_new_chip_alone(town: Town) -> None:
    """Whatever the clock of a counter that has not heard of it may say."""
    later = Window(2, "Tahap 2", CLEAR, CLEAR + 90 * DAY)
    town.world.programmes = tuple(
        msgspec.structs.replace(one, windows=(later,)) for one in town.world.programmes
    )
    town.publish()
    family, old, new = replaced(town)
    for wall in (CLEAR, CLEAR + 45 * DAY, CLEAR - DAY):
        town.world.clock.reboot(wall=wall)
        town.world.open_day(town.folders[2])
        town.restart(2)
        refused = town.tap(2, old)
        assert isinstance(refused, Refused)
        assert refused.reason in {Reason.LEDGER_TOO_OLD, Reason.WINDOW_NOT_OPEN}
    town.world.clock.reboot(wall=CLEAR + DAY)
    town.world.publish()
    town.world.bring(town.folders[1])
    town.world.open_day(town.folders[1])
    town.restart(1)
    assert town.counters[1].take_in_box().problem is None
    outcome = town.tap(1, new, request=PANGAN)
    assert isinstance(outcome, Redeemed), outcome
    assert outcome.approved.basis is Basis.HOME
    assert town.entries(2, family) != []


def test_first_card_of_a_family_waits_for_nothing() -> None:
    assert alone_from(credential(1), unheard_for=60 * DAY) == 0


times = st.integers(0, 400 * DAY)


@given(
    days=st.lists(st.integers(0, 90), max_size=4, unique=True).map(sorted),
    quiet=st.integers(0, 60),
    signed=st.integers(1, 30 * DAY),
    opens=times,
    early=times,
    late=times,
)
def test_no_window_is_served_to_both_whatever_the_clocks_say(
    *, days: list[int], quiet: int, signed: int, opens: int, early: int, late: int
) -> None:
    """The old one where the newest signature is from before the new one, which knows its date."""
    policy = msgspec.structs.replace(
        POLICY, quiet_days=quiet, freshness=tuple(FreshnessStep(n, 100) for n in days)
    )
    opens, early = NOW + opens, NOW + early
    late = max(early, NOW + late)
    to_new = opens >= alone_from(credential(2), unheard_for=policy.unheard_for)
    to_old = early >= opens and served_by(policy, age=late - (NOW - signed) - quiet * DAY)
    assert not (to_new and to_old)


def served_by(policy: Policy, *, age: int) -> bool:
    return policy.freshness_at(max(0, age)) is not None


def credential(issue: int) -> Credential:
    return Credential(
        household=bytes(8), issue=issue, kind=CardKind.CARD, issuer="ID-KT", audience="KHB26",
        issued_at=NOW, expires_at=NOW + 900 * DAY,
    )  # fmt: skip
