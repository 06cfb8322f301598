"""The day is opened, its clock confirmed and the day closed, by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from terminal.day_desk import DayDesk
from tests.browser.conftest import watched_page
from tests.point import Point, make_point
from tests.served import serving
from tests.world import PIN

pytestmark = pytest.mark.browser
SIZES = ((1366, 768), (390, 844))


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    (made.world.folder / ".memory").mkdir(mode=0o700, exist_ok=True)
    yield made
    made.counter.close()


@pytest.fixture
def page(browser: Browser, point: Point) -> Iterator[Page]:
    day = DayDesk(point.counter, point.world.room(point.folder), point.world.clock)
    with (
        serving(point.counter, day=day) as served,
        watched_page(browser, served.entry) as page,
    ):
        page.keyboard.press("F7")
        page.wait_for_selector("#clock")
        page.wait_for_function("document.activeElement?.name === 'pin'")  # the hand is put there
        yield page


def test_day_is_opened_and_closed_by_keyboard_alone(page: Page, point: Point) -> None:
    page.keyboard.type(PIN)  # the hand is there already
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert page.inner_text(".said") == "Nama dan cip terbuka."
    assert PIN not in page.content()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name=pin]")
    assert "Hari ditutup" in page.inner_text(".said")
    assert point.world.room(point.folder).key(point.world.clock.read()) is None


def test_wrong_pin_is_told_and_the_hand_stays_there(page: Page) -> None:
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert "PIN salah" in page.inner_text(".said")
    assert page.evaluate("document.activeElement.name") == "pin"


def test_clock_is_confirmed_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("WK")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said")
    assert page.inner_text(".said") == "Dicatat: jam dipastikan benar."
