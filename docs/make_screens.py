"""Take a picture of every screen of the counter: ``python docs/make_screens.py``.

The screens come from the same small town that the browser tests use; the clock stands still, so a
picture changes only when the page does.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from terminal.counter import Presentation, Request
from tests.browser.screen import Screen
from tests.browser.test_after import fill, open_after
from tests.browser.town import KK, Opened
from tests.browser.verdicts import WAYS, Way
from tests.served import serving

SCREENS = Path(__file__).parent / "screens"
SIZE = (1366, 768)
SETTLED_MS = 400
BYTES_MAX = 150_000
COLOURS = 128


def main() -> None:
    """Take them all."""
    SCREENS.mkdir(exist_ok=True)
    program = shutil.which("chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        for way in WAYS:
            _take(chromium, way.name, way.walk)
        _take(chromium, "ready", _ready)
        _take(chromium, "services", lambda screen: screen.page.keyboard.press("F8"))
        _take(chromium, "help", lambda screen: screen.page.keyboard.press("F12"))
        _take(chromium, "number", _number)
        _take(chromium, "explained", _explained)
        _take(chromium, "approved_english", _english)
        _take(chromium, "voided", _voided)
        _take(chromium, "complaint_asked", _complaint_asked)
        _take(chromium, "complaint", _complaint)
        _take(chromium, "complaint_slip", _complaint_slip)
        chromium.close()


def _take(chromium: Browser, name: str, walk: Callable[[Screen], object]) -> None:
    """One picture, of a town of its own."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Opened.at(Path(folder) / "town")
        with serving(opened.one) as served:
            page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
            page.goto(served.entry)
            page.wait_for_selector("body[data-live]")
            walk(Screen(page, opened))
            page.wait_for_timeout(SETTLED_MS)
            keep(name, page)
            page.close()
        opened.close()


def keep(name: str, page: Page) -> None:
    """As it is, if that is small; else with fewer colours."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    if out.tell() > BYTES_MAX:
        out = io.BytesIO()
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    (SCREENS / f"{name}.png").write_bytes(out.getvalue())


def _ready(screen: Screen) -> None:
    """In the middle of a morning, with a road that is out."""
    cards = screen.opened.cards
    for card in (cards.plain, cards.second, cards.third, *cards.more_away[:2]):
        screen.show(card)
        screen.press("Enter")
        screen.wait("done")
        screen.page.keyboard.press("Escape")
    screen.show(cards.sample)
    screen.page.keyboard.press("Escape")
    screen.wait("ready")


def _number(screen: Screen) -> None:
    screen.open_pad()
    screen.page.keyboard.type(KK[:11])


def _explained(screen: Screen) -> None:
    _way("sample_card").walk(screen)
    screen.press("Enter")


def _english(screen: Screen) -> None:
    screen.page.click("footer form button")
    screen.page.wait_for_selector("html[lang=en] body[data-live]")
    _way("approved_away").walk(screen)


def _voided(screen: Screen) -> None:
    screen.opened.one.redeem(Presentation(screen.opened.cards.plain), Request("pasar-murah"))
    open_after(screen.page)
    fill(screen.page, "T001-0001", "salah orang", "DUA")
    screen.page.wait_for_selector(".said")


def _complaint_asked(screen: Screen) -> None:
    _way("already_redeemed").walk(screen)
    screen.press("F3")
    screen.wait("complain")


def _complaint(screen: Screen) -> None:
    _complaint_asked(screen)
    screen.press("Enter")
    screen.wait("filed")


def _complaint_slip(screen: Screen) -> None:
    """As it is printed, without the margins of its 58 mm."""
    _complaint(screen)
    screen.page.emulate_media(media="print")
    width = round(52 / 25.4 * 96)
    screen.page.set_viewport_size({"width": width, "height": 100})
    height = screen.page.evaluate("document.querySelector('.slip').scrollHeight")
    screen.page.set_viewport_size({"width": width, "height": height})


def _way(name: str) -> Way:
    return next(way for way in WAYS if way.name == name)


if __name__ == "__main__":
    main()
