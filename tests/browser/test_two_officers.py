"""A dead chip is served, and a redemption by chip taken back, by keyboard alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ledger.entry import Commit, Excepted, Pending, Redemption, Refusal, Void
from terminal.web.chips import ChipDesk
from tests.browser.conftest import SCREEN, watched_page
from tests.browser.test_after import fill, open_after
from tests.browser.test_chip import enter, wait
from tests.chip_page import READER
from tests.chip_reader import PlayedReaders
from tests.chip_recovery import flush
from tests.chip_town import Town
from tests.served import serving
from virtual_card.desfire import DesfireCard

pytestmark = pytest.mark.browser
SIZES = ((1366, 768), (390, 844))


@pytest.fixture
def readers() -> PlayedReaders:
    return PlayedReaders()


@pytest.fixture
def page(browser: Browser, town: Town, readers: PlayedReaders) -> Iterator[Page]:
    chips = ChipDesk(town.counters[1], READER, readers=readers)
    with (
        serving(town.counters[1], chips=chips) as served,
        chips.watching(),
        watched_page(browser, served.entry) as page,
    ):
        yield page


def kinds(town: Town) -> list[type]:
    return [type(entry.content) for entry in town.entries(1)]


def fits(page: Page) -> bool:
    """No size of screen makes it scroll sideways."""
    wide = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        wide.append(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
    page.set_viewport_size(SCREEN)
    return all(extra <= 0 for extra in wide)


def scan(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_dead_chip_is_served_by_two_officers_by_keyboard_alone(town: Town, page: Page) -> None:
    scan(page, town.world.card(town.family()))
    wait(page, "refused")
    assert "Izin dua petugas" in page.inner_text(".acts")
    page.keyboard.press("F9")
    page.wait_for_selector("#two")
    assert fits(page)
    assert page.evaluate("document.activeElement.name") == "second"
    page.keyboard.type("WK")
    page.keyboard.press("Enter")  # the box is empty: the browser leads there, and sends nothing
    assert page.evaluate("document.activeElement.name") == "compared"
    assert kinds(town) == [Refusal]
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait(page, "done")
    assert "T001-0003" in page.inner_text("#stage")
    assert page.is_visible(".slip")
    assert page.url.endswith("/")
    assert kinds(town) == [Refusal, Excepted, Redemption]
    page.reload()
    wait(page, "ready")  # loaded again, it is ready for the next


def test_scan_on_the_page_of_two_officers_gives_nothing(town: Town, page: Page) -> None:
    text = town.world.card(town.family())
    scan(page, text)
    wait(page, "refused")
    page.keyboard.press("F9")
    page.wait_for_selector("#two")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    scan(page, text)
    page.wait_for_selector(".said")
    assert "Perlu orang kedua" in page.inner_text(".said")
    assert kinds(town) == [Refusal]


def test_button_of_two_officers_is_reached_with_tab_and_enter_too(town: Town, page: Page) -> None:
    scan(page, town.world.card(town.family()))
    wait(page, "refused")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "two"
    enter(page)
    page.wait_for_selector("#two form")


def test_card_with_a_gap_stays_on_the_reader_and_is_given_once(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    card = town.card(town.family())
    flush(town, card)
    readers.lay(card)
    wait(page, "refused")
    page.keyboard.press("F9")
    page.wait_for_selector("#two")
    page.wait_for_timeout(3_200)  # two people talk; the card lies there all the while
    fill(page, "WK")
    assert page.evaluate("document.activeElement.name") == "compared"
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    wait(page, "done")
    page.wait_for_timeout(500)
    assert page.get_attribute("body", "data-kind") == "done"  # not shown once more as taken
    assert kinds(town)[-3:] == [Excepted, Pending, Commit]


def ask_back_without(readers: PlayedReaders, page: Page, card: DesfireCard) -> None:
    """Redeem by chip, lift the card, and ask to take it back: the page wants the card."""
    readers.lay(card)
    wait(page, "approved")
    enter(page)
    wait(page, "done")
    readers.lift()
    page.keyboard.press("Escape")
    wait(page, "ready")
    open_after(page)
    fill(page, "T001-0001", "salah orang", "WK")
    page.wait_for_selector(".said")


def test_redemption_by_chip_is_taken_back_with_its_card(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    card = town.card(town.family())
    ask_back_without(readers, page, card)
    said = page.inner_text(".said")
    assert "T001-0001 diambil dengan cip" in said
    assert "Letakkan satu kartu" in said
    assert fits(page)
    assert kinds(town) == [Pending, Commit]
    readers.lay(card)
    page.keyboard.press("Enter")  # the hand is on the button; what was typed stands
    expect(page.locator(".said")).to_contain_text("Dibatalkan", timeout=10_000)
    assert "Cip kartunya juga sudah mencatat." in page.inner_text(".said")
    assert kinds(town) == [Pending, Commit, Void, Commit]
    assert card.mac_file.counter == 3


def test_card_that_is_not_at_hand_is_done_without_by_keyboard(
    town: Town, readers: PlayedReaders, page: Page
) -> None:
    ask_back_without(readers, page, town.card(town.family()))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text("Dibatalkan", timeout=10_000)
    assert "cip kartunya tidak mencatat" in page.inner_text(".said")
    assert kinds(town) == [Pending, Commit, Void]
