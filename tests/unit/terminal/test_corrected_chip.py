"""What a chip still shows after a correction: the family is served, and nothing goes out twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.element import RedemptionId
from ledger.entry import Commit, Pending, Void
from terminal.counter import Redeemed
from terminal.decision import Verdict
from tests.chip_town import Town, make_town
from virtual_card.link import Fault


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    town.world.changes = {}
    yield town
    town.close()


def correct(town: Town, seq: int, household: bytes) -> None:
    """The kecamatan takes back what counter 1 gave as that entry; both counters hear of it."""
    town.world.change(corrected={(RedemptionId(1, 1, seq), household): 1})
    town.publish()


def reason(verdict: Redeemed | Verdict | Exception) -> Reason | None:
    return verdict.reason if isinstance(verdict, Refused) else None


@pytest.mark.parametrize("then", [1, 2])
def test_record_on_the_chip_of_a_corrected_redemption_counts_nowhere(town: Town, then: int) -> None:
    family = town.family()
    card = town.card(family)
    assert isinstance(town.tap(1, card), Redeemed)
    assert [reason(town.look(at, card)) for at in (1, 2)] == [Reason.ALREADY_REDEEMED] * 2
    correct(town, 1, family)
    assert isinstance(town.tap(then, card), Redeemed)
    assert [reason(town.tap(at, card)) for at in (1, 2)] == [Reason.ALREADY_REDEEMED] * 2
    assert (town.journal_holds(1), town.journal_holds(2)) == ((), ())


def test_redemption_that_was_cut_off_and_then_corrected_waits_for_its_card_no_more(
    town: Town,
) -> None:
    """Else its card would bring it back, and the goods would be due beside those given anew."""
    family = town.family()
    card = town.card(family)
    town.tap(1, card, faults={14: Fault.TORN_AFTER})
    (seq,) = town.open_here(1)
    assert reason(town.look(2, card)) is Reason.ALREADY_REDEEMED
    correct(town, seq, family)
    assert town.open_here(1) == []
    assert isinstance(town.tap(1, card), Redeemed)
    said = [e.content for e in town.entries(1) if isinstance(e.content, Pending | Commit | Void)]
    assert [type(one) for one in said] == [Pending, Pending, Commit]
    assert reason(town.tap(1, card)) is Reason.ALREADY_REDEEMED
    assert reason(town.tap(2, card)) is Reason.ALREADY_REDEEMED
    assert (town.journal_holds(1), town.journal_holds(2)) == ((), ())


def test_correction_for_another_family_leaves_the_chip_waiting(town: Town) -> None:
    family, other = town.family(), town.family()
    card = town.card(family)
    town.tap(1, card, faults={14: Fault.TORN_AFTER})
    (seq,) = town.open_here(1)
    correct(town, seq, other)
    assert town.open_here(1) == [seq]
    assert isinstance(town.tap(1, card), Redeemed)
    assert town.open_here(1) == []
    assert reason(town.tap(2, card)) is Reason.ALREADY_REDEEMED
    assert town.journal_holds(1) == ()
