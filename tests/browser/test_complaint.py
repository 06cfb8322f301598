"""A complaint by keyboard alone: F3 asks, Enter files, F2 prints; a scan never files one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from ledger.entry import Complaint, Refusal
from tests.browser.conftest import SCREEN, watched_page
from tests.browser.test_chip import enter, wait
from tests.chip_town import Town
from tests.served import serving

pytestmark = pytest.mark.browser
SIZES = ((1366, 768), (390, 844))


@pytest.fixture
def page(browser: Browser, town: Town) -> Iterator[Page]:
    with serving(town.counters[1]) as served, watched_page(browser, served.entry) as page:
        yield page


def kinds(town: Town) -> list[type]:
    return [type(entry.content) for entry in town.entries(1)]


def scan(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def refuse(town: Town, page: Page) -> None:
    """A QR of a chip household is refused: its chip is wanted."""
    scan(page, town.world.card(town.family()))
    wait(page, "refused")


def fits(page: Page) -> bool:
    """No size of screen makes it scroll sideways."""
    wide = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        wide.append(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
    page.set_viewport_size(SCREEN)
    return all(extra <= 0 for extra in wide)


def test_complaint_is_filed_by_keyboard_alone(town: Town, page: Page) -> None:
    refuse(town, page)
    assert "Buat aduan" in page.inner_text(".acts")
    assert fits(page)
    page.keyboard.press("F3")
    wait(page, "complain")
    assert kinds(town) == [Refusal]  # asking records nothing
    assert fits(page)
    enter(page)
    wait(page, "filed")
    assert page.inner_text(".word") == "ADUAN"
    assert "T001-0002" in page.inner_text("#stage")
    assert page.is_visible(".slip")
    assert "Ini aduan, bukan kartu" in page.inner_text(".slip")
    assert fits(page)
    assert kinds(town) == [Refusal, Complaint]
    enter(page)
    wait(page, "ready")


def test_slip_is_printed_once_and_then_as_a_copy(town: Town, page: Page) -> None:
    refuse(town, page)
    page.evaluate("window.printed = 0; window.print = () => { window.printed += 1; }; null")
    page.keyboard.press("F3")
    wait(page, "complain")
    enter(page)
    wait(page, "filed")
    assert page.is_hidden(".slip-copy")
    page.wait_for_timeout(650)
    page.keyboard.press("F2")
    assert page.evaluate("window.printed") == 1
    assert page.is_visible(".slip-copy")


def test_escape_files_nothing(town: Town, page: Page) -> None:
    refuse(town, page)
    page.keyboard.press("F3")
    wait(page, "complain")
    page.keyboard.press("Escape")
    wait(page, "ready")
    assert kinds(town) == [Refusal]


def test_scan_while_it_is_asked_is_the_next_family_and_files_nothing(
    town: Town, page: Page
) -> None:
    refuse(town, page)
    page.keyboard.press("F3")
    wait(page, "complain")
    page.wait_for_timeout(650)
    refuse(town, page)
    page.wait_for_timeout(300)
    assert kinds(town) == [Refusal, Refusal]


def test_hasty_enter_does_not_file_what_nobody_has_read(town: Town, page: Page) -> None:
    refuse(town, page)
    page.keyboard.press("F3")
    wait(page, "complain")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.get_attribute("body", "data-kind") == "complain"
    assert kinds(town) == [Refusal]


def test_key_does_nothing_where_nothing_was_refused(town: Town, page: Page) -> None:
    page.keyboard.press("F3")
    page.wait_for_timeout(300)
    assert page.get_attribute("body", "data-kind") == "ready"
    assert kinds(town) == []


def test_complaint_is_reached_by_tab_too_and_from_the_text_for_the_family(
    town: Town, page: Page
) -> None:
    refuse(town, page)
    enter(page)  # the text is turned to the family
    page.wait_for_selector("body[data-explained]")
    page.keyboard.press("F3")
    wait(page, "complain")
    assert page.locator("body[data-explained]").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.do") == "file"
    enter(page)
    wait(page, "filed")
    assert kinds(town) == [Refusal, Complaint]
