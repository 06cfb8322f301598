"""A page that frames the counter, and pages that may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, Frame, Page

from tests.browser.screen import ANSWER_MS
from tests.browser.town import Opened
from tests.served import Page as Served
from tests.served import serving

pytestmark = pytest.mark.browser

FRAMING = """<!doctype html><title>frame</title>
<script>window.heard = []; addEventListener("message", e => heard.push([e.origin, e.data]));
const type = text => frames[0].postMessage({type: "keys", text}, "*");</script>
<iframe src="%s" width="800" height="520"></iframe>"""


class Framing(HTTPServer):
    """Serves a page that frames whatever address stands in ``framed``."""

    framed = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FramingPage)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class FramingPage(BaseHTTPRequestHandler):
    """Answers every address with the framing page."""

    server: Framing

    def do_GET(self) -> None:
        page = (FRAMING % self.server.framed).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture
def framing() -> Iterator[Framing]:
    """The one page that may frame the counter."""
    with Framing() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def served(opened: Opened, framing: Framing) -> Iterator[Served]:
    with serving(opened.one, embed=framing.origin) as page:
        framing.framed = page.entry
        yield page


def framed(browser: Browser, framing: Framing) -> Page:
    page = browser.new_page()
    page.goto(framing.origin)
    return page


def counter_frame(page: Page) -> Frame:
    (frame,) = [one for one in page.frames if one != page.main_frame]
    frame.wait_for_selector("body[data-live]", timeout=ANSWER_MS)
    return frame


def test_framing_page_types_through_the_scanners_handler(
    browser: Browser, framing: Framing, served: Served, opened: Opened
) -> None:
    page = framed(browser, framing)
    counter = counter_frame(page)
    page.evaluate("text => type(text)", opened.cards.plain)
    counter.wait_for_selector(".verdict[data-kind=approved]", timeout=ANSWER_MS)
    page.wait_for_timeout(700)
    assert opened.one.state().served_today == 0
    counter.press("body", "Enter")
    counter.wait_for_selector(".verdict[data-kind=done]", timeout=ANSWER_MS)
    told = page.evaluate("() => heard.filter(([, data]) => data.type === 'screen')")
    assert {origin for origin, _ in told} == {served.url}
    assert [data["kind"] for _, data in told] == ["ready", "approved", "done"]
    assert told[-1][1]["number"] == "T001-0001"
    page.close()


def test_typing_two_cards_at_once_keeps_them_apart(
    browser: Browser, framing: Framing, served: Served, opened: Opened
) -> None:
    page = framed(browser, framing)
    counter = counter_frame(page)
    texts = [opened.cards.plain, opened.cards.second]
    page.evaluate("texts => texts.forEach(type)", texts)
    counter.wait_for_selector("text=Bambang Riyadi", timeout=ANSWER_MS)
    assert opened.one.state().refused_today == 0
    page.close()


def test_page_of_another_origin_can_neither_frame_nor_type(
    browser: Browser, framing: Framing, opened: Opened
) -> None:
    with serving(opened.one, embed="http://127.0.0.1:1") as served:
        framing.framed = served.entry
        page = framed(browser, framing)
        page.wait_for_timeout(800)
        (frame,) = [one for one in page.frames if one != page.main_frame]
        assert frame.url.startswith("chrome-error:")
        page.close()


def test_message_of_a_window_that_is_not_the_frame_is_not_heard(
    browser: Browser, framing: Framing, served: Served, opened: Opened
) -> None:
    page = framed(browser, framing)
    counter = counter_frame(page)
    counter.evaluate(
        "text => window.postMessage({type: 'keys', text}, location.origin)", opened.cards.plain
    )
    page.wait_for_timeout(1_000)
    assert counter.get_attribute("body", "data-kind") == "ready"
    page.close()
