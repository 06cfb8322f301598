"""A headless Chromium of Debian's, and a counter of a small town on its screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.browser.screen import Screen
from tests.browser.town import Opened
from tests.chip_page import QUOTAS
from tests.chip_town import Town, make_town
from tests.served import serving

SCREEN = ViewportSize(width=1366, height=768)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Families with chips, and what two officers may set aside for them."""
    town = make_town(tmp_path, QUOTAS)
    yield town
    town.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `make setup-test` brings it.

    It ends with the module: Playwright's event loop runs in this thread until then, and would be
    in the way of every later test that runs one of its own.
    """
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is not installed; make setup-test brings it")
    arguments = [
        "--autoplay-policy=no-user-gesture-required",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@contextmanager
def watched_page(browser: Browser, entry: str) -> Iterator[Page]:
    """A page of 1366 × 768 at an address. What its scripts complain of fails the test.

    An answer of 4xx is no complaint: a refusal is one.
    """
    complaints: list[str] = []
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(entry)
    page.wait_for_selector("body[data-live]")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Two counters of one town."""
    town = Opened.at(tmp_path / "town")
    yield town
    town.close()


@pytest.fixture
def screen(browser: Browser, opened: Opened) -> Iterator[Screen]:
    """Counter 1 on a screen of 1366 × 768. An error in the browser's console fails the test."""
    with serving(opened.one) as served:
        context = browser.new_context(viewport=SCREEN)
        page = context.new_page()
        shown = Screen(page, opened)

        def complain(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                shown.complaints.append(message.text)

        page.on("console", complain)
        page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        page.goto(served.entry)
        yield shown
        context.close()
    assert shown.complaints == []
