"""A redemption is taken back, and the question after a restart answered, by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from terminal.counter import Presentation, Request, open_counter
from tests.browser.conftest import watched_page
from tests.browser.screen import Screen
from tests.browser.test_screens import SIZES, sideways
from tests.browser.town import Opened
from tests.served import serving

pytestmark = pytest.mark.browser


def test_redemption_is_taken_back_with_a_second_person(screen: Screen) -> None:
    page = screen.page
    open_market_serves(screen.opened)
    open_after(page)
    fill(page, "T001-0001", "salah orang", "UJI2")
    page.wait_for_selector(".said")
    said = page.inner_text(".said").split("\n")
    assert said == ["T001-0001", "Dibatalkan. Jatah dikembalikan.", "Uang dikembalikan: Rp15.000"]
    assert screen.redemptions() == 0
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert sideways(screen) == 0, (width, height)
    page.get_by_role("link", name="Kembali").press("Enter")
    page.wait_for_selector("body[data-live]")
    screen.show(screen.opened.cards.plain)
    assert screen.word == "BERHAK"


def test_officer_alone_takes_nothing_back(screen: Screen) -> None:
    open_market_serves(screen.opened)
    open_after(screen.page)
    fill(screen.page, "T001-0001", "salah orang", "BR")
    screen.page.wait_for_selector(".said")
    assert "Perlu orang kedua" in screen.page.inner_text(".said")
    assert screen.redemptions() == 1
    assert screen.complaints.pop().startswith("Failed to load resource")  # the 400


@pytest.fixture
def restarted(browser: Browser, tmp_path: Path) -> Iterator[Screen]:
    """Counter 1 gave something, lost its power, and serves again."""
    opened = Opened.at(tmp_path / "town")
    opened.one.redeem(Presentation(opened.cards.plain), Request("pangan"))
    opened.one.close()
    counter = open_counter(opened.one.folder, clock=opened.town.clock, serving=True)
    with serving(counter) as served, watched_page(browser, served.entry) as page:
        yield Screen(page, opened)
    counter.close()
    opened.two.close()


def test_question_after_a_restart_is_answered_on_the_page(restarted: Screen) -> None:
    page = restarted.page
    page.wait_for_selector("body[data-live]")
    assert "T001-0001" in page.inner_text("#notices")
    assert "F6" in page.inner_text("#notices")
    open_after(page)
    assert page.inner_text("#asked h1") == "Bantuan T001-0001 sudah diserahkan?"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert page.inner_text(".said") == "Dicatat: sudah diserahkan."
    page.get_by_role("link", name="Kembali").press("Enter")
    page.wait_for_selector("body[data-live]")
    assert "T001-0001" not in page.inner_text("#notices")


def open_market_serves(opened: Opened) -> None:
    """A family pays and is given."""
    opened.one.redeem(Presentation(opened.cards.plain), Request("pasar-murah"))


def open_after(page: Page) -> None:
    """F6, as the bottom line says."""
    page.wait_for_selector("body[data-live]")
    page.keyboard.press("F6")
    page.wait_for_selector("#void")


def fill(page: Page, *words: str) -> None:
    """Type where the page put the hand, and on with Tab."""
    for word in words:
        page.keyboard.type(word)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
