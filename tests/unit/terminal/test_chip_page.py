"""Chips on the counter's page: a tap, what the reader is in; none of it ends the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from card_codec.readers.status import ReaderState
from ledger.entry import Commit, Pending, Redemption
from terminal.web.chips import ChipDesk
from terminal.words import LANGUAGES, words
from tests.chip_page import act_of, browsing, said
from tests.chip_reader import PlayedReaders
from tests.chip_town import Town, make_town
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    yield town
    town.close()


@pytest.fixture
def readers() -> PlayedReaders:
    return PlayedReaders()


@pytest.fixture
def chips(town: Town, readers: PlayedReaders) -> Iterator[ChipDesk]:
    desk = ChipDesk(town.counters[1], "Pembaca Uji", readers=readers)
    with desk.watching():
        yield desk


@pytest.fixture
def page(town: Town, chips: ChipDesk) -> Iterator[httpx.Client]:
    with browsing(town, chips) as client:
        yield client


def tap(page: httpx.Client, programme: str = "pangan") -> str:
    return page.post("/tap", json={"programme": programme}).text


def test_tap_reaches_the_screen_of_a_scan_and_enter_gives(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    shown = tap(page)
    assert said(shown) == ("approved", "")
    assert (town.entries(1), card.mac_file.counter) == ([], 1)
    done = page.post("/redeem", json={"act": act_of(shown)}).text
    assert said(done)[0] == "done"
    assert [type(e.content) for e in town.entries(1)] == [Pending, Commit]
    again = page.post("/redeem", json={"act": act_of(shown)}).text
    assert said(again)[0] == "done"  # asked twice, given once
    assert card.mac_file.counter == 2


def test_card_lifted_before_enter_is_asked_for_and_the_act_waits(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    shown = tap(page)
    readers.lift()
    missing = page.post("/redeem", json={"act": act_of(shown)})
    assert (missing.status_code, said(missing.text)[0]) == (409, "fault")
    assert "Letakkan satu kartu" in missing.text
    assert town.entries(1) == []
    readers.lay(card)
    assert said(page.post("/redeem", json={"act": act_of(shown)}).text)[0] == "done"


def test_another_card_laid_before_enter_is_not_charged(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    first, second = town.card(town.family()), town.card(town.family())
    readers.lay(first)
    shown = tap(page)
    readers.lay(second)
    told = page.post("/redeem", json={"act": act_of(shown)})
    assert words("id").say("reader.card_changed").split(" [")[0] in told.text
    assert (town.entries(1), second.mac_file.counter) == ([], 1)


def test_card_pulled_while_it_commits_is_wanted_again_and_then_given(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    shown = tap(page)
    readers.lay(card, {14: Fault.TORN_AFTER})
    torn = page.post("/redeem", json={"act": act_of(shown)}).text
    assert said(torn) == ("refused", "card_unfinished")
    state = page.get("/state").json()
    assert any("T001-0001" in notice for notice in state["notices"])
    readers.lay(card)
    done = tap(page)
    assert said(done)[0] == "done"
    assert words("id").say("v.recovered") in done
    assert page.get("/state").json()["state"]["unfinished"] == []


def test_card_pulled_early_is_named_and_leaves_no_trace(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    readers.lay(town.card(town.family()), {6: Fault.TORN_BEFORE})
    told = page.post("/tap", json={"programme": "pangan"})
    assert told.status_code == 409
    assert "diangkat terlalu cepat" in told.text
    assert town.entries(1) == []


def test_foreign_card_is_named_and_never_touched(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    readers.lay(blank(b"\x04foreign"[:7]))
    told = tap(page)
    assert said(told) == ("refused", "not_our_card")
    assert "kartu DESFire tanpa aplikasi KHB-1" in told


def test_ktp_el_is_called_by_its_name(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    readers.lay(KtpEl(blank(b"\x04ktp-el").memory))
    told = tap(page)
    assert said(told) == ("refused", "not_our_card")
    assert "Ini KTP-el" in told


class KtpEl(DesfireCard):
    """Answers to the file of a KTP-el alone, and fails the test if it is asked for more."""

    def process(self, apdu: bytes) -> bytes:
        if apdu == bytes.fromhex("00a40000027f0a"):
            return b"\x90\x00"
        assert apdu[1] in {0xA4, 0x60}, apdu.hex()
        return b"\x6a\x82"


@pytest.mark.parametrize("state", list(ReaderState))
def test_every_state_of_a_reader_has_words_and_a_screen(
    state: ReaderState, readers: PlayedReaders, page: httpx.Client
) -> None:
    for language in LANGUAGES:
        assert words(language).say(f"reader.{state}", reader="X")
    if state is ReaderState.CARD:
        return
    readers.state = state
    told = page.post("/tap", json={"programme": "pangan"})
    assert (told.status_code, said(told.text)[0]) == (409, "fault")


def test_page_is_told_of_every_change_of_the_reader(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    seen = page.get("/reader").json()
    assert (seen["state"], seen["quiet"]) == ("no_card", True)
    for state in (ReaderState.READER_LOST, ReaderState.NO_SERVICE, ReaderState.MUTE):
        readers.state = state
        told = page.get("/reader", params={"seen": seen["number"]}).json()
        assert (told["state"], told["quiet"]) == (state, False)
        assert told["text"] == words("id").say(f"reader.{state}", reader="Pembaca Uji")
        seen = told
    readers.lay(town.card(town.family()))
    told = page.get("/reader", params={"seen": seen["number"]}).json()
    assert (told["state"], told["taps"]) == ("card", 1)
    assert said(tap(page))[0] == "approved"  # found again, it serves at once


def test_card_that_was_in_use_is_not_laid_down_again(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    """Else the page would show it a second time, and call what it just gave taken already."""
    readers.lay(town.card(town.family()))
    seen = page.get("/reader", params={"seen": 1}).json()
    for state in (ReaderState.IN_USE, ReaderState.CARD):
        readers.state = state
        seen = page.get("/reader", params={"seen": seen["number"]}).json()
    assert (seen["state"], seen["taps"]) == ("card", 1)


def test_programme_not_on_cards_is_given_by_a_tap_too(
    town: Town, readers: PlayedReaders, page: httpx.Client
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    chosen = page.post("/choose", json={"act": act_of(tap(page, "klinik")), "member": 2}).text
    assert said(chosen)[0] == "approved"
    assert said(page.post("/redeem", json={"act": act_of(chosen)}).text)[0] == "done"
    (entry,) = town.entries(1)
    assert isinstance(entry.content, Redemption)
    assert card.mac_file.counter == 1


def test_counter_without_a_reader_answers_as_before(town: Town) -> None:
    with browsing(town, None) as client:
        assert client.get("/reader").json()["state"] is None
        assert client.post("/tap", json={"programme": "pangan"}).status_code == 400
