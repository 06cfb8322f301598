"""The demo's chip cards: made by the card station's command, tapped at its counters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from terminal.demo.chips import ChipDrawer, start_chips
from terminal.demo.prepare import PIN_FILE
from tests.integration.prepared import Prepared, Report, betang, report_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def chips(prepared: Prepared) -> Iterator[ChipDrawer]:
    """The cards on the counters' readers, and both counters' days open."""
    for number in (1, 2):
        pin = prepared.folder / PIN_FILE
        words = ("--config", prepared.counter(number), "--pin-file", pin, "--json")
        opened = betang("betang-terminal", "open-day", *words)
        assert opened.returncode == 0, opened.stderr
    drawer = start_chips(prepared.folder, blank=0)
    yield drawer
    drawer.stop()
    for number in (1, 2):
        betang("betang-terminal", "close-day", "--config", prepared.counter(number), "--json")


def tap(prepared: Prepared, chips: ChipDrawer, counter: int) -> tuple[int, Report]:
    """Redeem food aid with the chip on a counter's reader."""
    words = ("--config", prepared.counter(counter), "--reader", chips.readers[counter - 1])
    done = betang("betang-terminal", "redeem", *words, "--programme", "pangan", "--json")
    assert done.stderr == "", done.stderr
    return done.returncode, report_of(done)


def test_report_lists_chips_apart_from_paper_cards(prepared: Prepared) -> None:
    chips = prepared.report["chips"]
    assert len(chips) == 3
    assert {len(chip["uid"]) for chip in chips} == {14}
    assert all("in-process link" in chip["link"] for chip in chips)
    paper = {card["household"] for card in prepared.report["cards"]}
    assert paper.isdisjoint(chip["household"] for chip in chips)
    listed = betang("betang-provision", "chips", "--office", prepared.report["office"], "--json")
    assert [one["uid"] for one in report_of(listed)] == [chip["uid"] for chip in chips]


def test_chip_tells_the_other_counter_what_was_taken_without_any_network(
    prepared: Prepared, chips: ChipDrawer
) -> None:
    card = prepared.report["chips"][0]
    chips.lay(1, card["uid"])
    code, told = tap(prepared, chips, 1)
    assert (code, told["outcome"], told["left"]) == (0, "approved", 0), told
    assert tap(prepared, chips, 1)[1]["reason"] == "already_redeemed"
    # Counter 2 never heard of counter 1: the card itself tells it.
    chips.lay(2, card["uid"])
    code, told = tap(prepared, chips, 2)
    assert (code, told["reason"]) == (1, "already_redeemed"), told
    for counter in (1, 2):
        assert prepared.fsck(counter)["ok"]


def test_reader_without_a_card_is_one_sentence(prepared: Prepared, chips: ChipDrawer) -> None:
    words = ("--config", prepared.counter(1), "--reader", chips.readers[0])
    done = betang("betang-terminal", "redeem", *words, "--programme", "pangan", "--json")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no card on unix:" in done.stderr
