"""A redemption by chip is taken back on the page: the entry, the card, then goods and money."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from card_codec.chip.khb1_files import CREDENTIAL_FILE
from card_codec.chip.record import RecordKind
from ledger.entry import Closed, Commit, Handover, Pending, Redemption, Refusal, Void
from terminal.words import words
from tests.chip_page import Desk, desk_of, said
from virtual_card.desfire import DesfireCard
from virtual_card.link import Fault
from virtual_card.memory import DataFile

GIVEN = [Pending, Commit]
VOIDED = [Pending, Commit, Void, Commit]
SAY = words("id").say


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as opened:
        yield opened


@pytest.fixture
def card(desk: Desk) -> DesfireCard:
    """A card that lies on the reader and has just redeemed, as T001-0001."""
    card = desk.town.card(desk.town.family())
    desk.readers.lay(card)
    assert said(desk.give(desk.tap()))[0] == "done"
    assert (desk.kinds(), card.mac_file.counter) == (GIVEN, 2)
    return card


def void(
    desk: Desk, *, receipt: str = "T001-0001", second: str = "WK", without: bool = False
) -> httpx.Response:
    road = "/after/void-without-card" if without else "/after/void"
    return desk.page.post(road, data={"receipt": receipt, "reason": "salah", "second": second})


def test_void_is_recorded_written_on_the_card_and_told(desk: Desk, card: DesfireCard) -> None:
    told = void(desk)
    assert told.status_code == 200
    for line in ("T001-0001", SAY("vd.done"), SAY("vd.on_card")):
        assert line in told.text
    assert (desk.kinds(), card.mac_file.counter) == (VOIDED, 3)
    records = desk.town.counters[1].tap(desk.town.link(card)).chip
    assert records is not None
    assert records.state.records[-1].kind is RecordKind.VOID
    assert said(desk.tap(meant=True))[0] == "approved"  # what was taken back can be taken again
    assert desk.town.journal_holds(1) == ()


def test_card_is_asked_for_before_anything_is_recorded(desk: Desk, card: DesfireCard) -> None:
    desk.readers.lift()
    told = void(desk)
    assert (told.status_code, SAY("vd.card_wanted", no="T001-0001") in told.text) == (409, True)
    assert "Letakkan satu kartu" in told.text
    assert 'value="T001-0001"' in told.text  # nobody types twice
    assert desk.kinds() == GIVEN
    desk.readers.lay(card)
    assert void(desk).status_code == 200
    assert desk.kinds() == VOIDED


def test_void_without_the_card_stands_and_says_what_the_card_still_shows(
    desk: Desk, card: DesfireCard
) -> None:
    desk.readers.lift()
    told = void(desk, without=True)
    assert (told.status_code, SAY("vd.not_on_card") in told.text) == (200, True)
    assert (desk.kinds(), card.mac_file.counter) == ([*GIVEN, Void], 2)


def test_card_pulled_while_it_notes_the_void_leaves_the_void(desk: Desk, card: DesfireCard) -> None:
    desk.readers.lay(card, {14: Fault.TORN_BEFORE})
    told = void(desk)
    assert (told.status_code, SAY("vd.not_on_card") in told.text) == (200, True)
    assert desk.kinds() == [*GIVEN, Void]


def test_another_card_on_the_reader_takes_nothing_back(desk: Desk, card: DesfireCard) -> None:
    other = desk.town.card(desk.town.family())
    desk.readers.lay(other)
    told = void(desk)
    assert (told.status_code, SAY("vd.other_card") in told.text) == (400, True)
    assert (desk.kinds(), other.mac_file.counter, card.mac_file.counter) == (GIVEN, 1, 2)


def test_officer_alone_takes_nothing_back(desk: Desk, card: DesfireCard) -> None:
    for lies_there in (True, False):
        if not lies_there:
            desk.readers.lift()
        for second in ("", "uji", "x" * 13):
            told = void(desk, second=second)
            assert (told.status_code, "Perlu orang kedua" in told.text) == (400, True)
    assert (desk.kinds(), card.mac_file.counter) == (GIVEN, 2)


def test_after_the_close_it_is_for_the_office_and_no_card_is_asked_for(
    desk: Desk, card: DesfireCard
) -> None:
    desk.page.post("/day/close")
    desk.readers.lift()
    told = void(desk)
    assert (told.status_code, "Pembatalan hanya lewat Dinas" in told.text) == (400, True)
    assert (desk.kinds(), card.mac_file.counter) == ([*GIVEN, Handover, Closed], 2)


def test_chip_that_does_not_open_is_not_voided_by_halves(desk: Desk, card: DesfireCard) -> None:
    (application,) = card.memory.applications.values()
    file = application.files[CREDENTIAL_FILE]
    assert isinstance(file, DataFile)
    file.data[40] ^= 1
    desk.readers.lay(card)
    told = void(desk)
    assert (told.status_code, SAY("vd.mute_chip") in told.text) == (400, True)
    assert "void-without-card" in told.text  # and the way on
    assert (desk.kinds(), card.mac_file.counter) == (GIVEN, 2)


def test_chip_whose_key_is_locked_is_not_voided_by_halves(desk: Desk, card: DesfireCard) -> None:
    desk.town.world.room(desk.town.folders[1]).wipe()
    assert desk.page.post("/day/open", data={"pin": "000000"}).status_code == 400
    told = void(desk)
    assert (told.status_code, SAY("vd.closed_chip") in told.text) == (400, True)
    assert (desk.kinds(), card.mac_file.counter) == (GIVEN, 2)


def test_redemption_that_is_not_finished_is_finished_first(desk: Desk) -> None:
    card = desk.town.card(desk.town.family())
    desk.readers.lay(card)
    shown = desk.tap()
    desk.readers.lay(card, {14: Fault.TORN_AFTER})
    assert said(desk.give(shown))[1] == "card_unfinished"
    desk.readers.lay(card)
    told = void(desk)
    assert (told.status_code, SAY("vd.unfinished") in told.text) == (400, True)
    assert desk.kinds() == [Pending]


def test_taken_back_once_it_is_not_taken_back_again(desk: Desk, card: DesfireCard) -> None:
    assert void(desk).status_code == 200
    for without in (False, True):
        assert void(desk, without=without).status_code == 400
    assert (desk.kinds(), card.mac_file.counter) == (VOIDED, 3)


def test_paper_redemption_asks_for_no_card(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    desk.by_two(refused)
    told = void(desk, receipt="T001-0003")
    assert (told.status_code, SAY("vd.not_on_card") in told.text) == (200, False)
    assert desk.kinds()[-2:] == [Redemption, Void]
    assert desk.kinds()[0] is Refusal


def test_page_of_another_site_takes_nothing_back(desk: Desk, card: DesfireCard) -> None:
    typed = {"receipt": "T001-0001", "reason": "salah", "second": "WK"}
    other = {"Origin": "http://example.org"}
    for road in ("/after/void", "/after/void-without-card"):
        assert desk.page.post(road, data=typed, headers=other).status_code == 403
    assert (desk.kinds(), card.mac_file.counter) == (GIVEN, 2)
