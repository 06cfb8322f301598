"""A chip on the reader reaches the screen of a scan; what the reader is in stands on the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from card_codec.readers.status import ReaderState
from ledger.entry import Commit, Pending
from terminal.web.chips import ChipDesk
from tests.browser.conftest import watched_page
from tests.chip_reader import PlayedReaders
from tests.chip_town import Town, make_town
from tests.served import serving
from virtual_card.link import Fault

pytestmark = pytest.mark.browser

SAME_CARD_MS = 3_200


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    yield town
    town.close()


@pytest.fixture
def readers() -> PlayedReaders:
    return PlayedReaders()


@pytest.fixture
def page(browser: Browser, town: Town, readers: PlayedReaders) -> Iterator[Page]:
    chips = ChipDesk(town.counters[1], "Pembaca Uji", readers=readers)
    with (
        serving(town.counters[1], chips=chips) as served,
        chips.watching(),
        watched_page(browser, served.entry) as page,
    ):
        yield page


def wait(page: Page, kind: str) -> None:
    page.wait_for_selector(f'body[data-kind="{kind}"]', timeout=10_000)


def enter(page: Page) -> None:
    page.wait_for_timeout(600)  # a verdict must have been seen before it can be confirmed
    page.keyboard.press("Enter")


def test_card_laid_on_the_reader_is_shown_and_enter_gives(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    wait(page, "approved")
    assert (town.entries(1), "BERHAK" in page.inner_text("#stage")) == ([], True)
    enter(page)
    wait(page, "done")
    assert [type(e.content) for e in town.entries(1)] == [Pending, Commit]
    readers.lift()
    page.wait_for_selector('body[data-reader-state="no_card"]')
    page.wait_for_timeout(SAME_CARD_MS)
    readers.lay(card)
    wait(page, "refused")
    assert "T001-0001" in page.inner_text("#stage")


def test_card_lifted_as_it_commits_is_asked_for_again(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    card = town.card(town.family())
    readers.lay(card)
    wait(page, "approved")
    readers.lay(card, {14: Fault.TORN_AFTER})
    enter(page)
    wait(page, "refused")
    assert "TEMPELKAN LAGI" in page.inner_text("#stage")
    readers.lift()
    page.wait_for_selector('body[data-reader-state="no_card"]')
    readers.lay(card)
    wait(page, "done")
    assert card.mac_file.counter == 2


def test_reader_that_is_lost_and_found_is_told_and_serves_on(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    readers.state = ReaderState.READER_LOST
    page.wait_for_selector("#reader:not([hidden])")
    assert "tercabut" in page.inner_text("#reader")
    readers.lay(town.card(town.family()))
    wait(page, "approved")
    assert page.is_hidden("#reader")
