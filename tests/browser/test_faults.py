"""What the page says when something behind it fails: never a green screen, never a lost act."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from ledger.errors import JournalDamagedError, NotSavedError
from terminal.counter import Presentation, Redeemed, Request, open_counter
from terminal.decision import Verdict
from tests.browser.screen import ANSWER_MS, Screen
from tests.browser.town import Opened
from tests.served import serving

pytestmark = pytest.mark.browser

GIVE_TWICE = """async act => {
  const give = () => fetch("/redeem", {method: "POST", body: JSON.stringify({act}),
    headers: {"Content-Type": "application/json"}}).then(answer => answer.text());
  return Promise.all([give(), give(), give()]);
}"""


def test_act_that_could_not_be_saved_is_told_and_can_be_tried_again(
    browser: Browser, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    redeem, failures = opened.one.redeem, ["disk full"]

    def failing(presentation: Presentation, request: Request) -> Redeemed | Verdict:
        if failures:
            raise NotSavedError(failures.pop())
        return redeem(presentation, request)

    monkeypatch.setattr(opened.one, "redeem", failing)
    with serving(opened.one) as served:
        page = browser.new_page()
        page.goto(served.entry)
        screen = Screen(page, opened)
        screen.show(opened.cards.plain)
        screen.press("Enter")
        screen.wait("fault")
        assert (screen.word, "HB-91" in screen.text) == ("BELUM TERSIMPAN", True)
        assert page.get_attribute("body", "data-tone") == "red"
        assert screen.redemptions() == 0
        screen.press("Enter")
        screen.wait("done")
        assert screen.redemptions() == 1
        page.close()


def test_damaged_journal_stops_service(
    browser: Browser, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(presentation: Presentation, request: Request) -> Verdict:
        raise JournalDamagedError("the chain does not hold")

    monkeypatch.setattr(opened.one, "look", damaged)
    with serving(opened.one) as served:
        page = browser.new_page()
        page.goto(served.entry)
        screen = Screen(page, opened)
        screen.scan(opened.cards.plain)
        screen.wait("fault")
        assert (screen.word, "HB-93" in screen.text) == ("HENTIKAN PELAYANAN", True)
        page.close()


def test_same_act_sent_three_times_at_once_is_one_redemption(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    answers = screen.page.evaluate(GIVE_TWICE, screen.act)
    assert all('data-kind="done"' in html for html in answers)
    assert len({html.split('data-receipt="')[1].split('"')[0] for html in answers}) == 1
    assert screen.redemptions() == 1


def test_lost_terminal_is_told_and_the_act_can_be_sent_again(
    browser: Browser, opened: Opened
) -> None:
    with serving(opened.one) as served:
        page = browser.new_page()
        page.goto(served.entry)
        screen = Screen(page, opened)
        screen.show(opened.cards.plain)
        page.context.set_offline(True)
        screen.press("Enter")
        page.wait_for_selector("text=HB-83", timeout=ANSWER_MS)
        assert screen.kind == "approved"
        page.context.set_offline(False)
        screen.press("Enter")
        screen.wait("done")
        assert screen.redemptions() == 1
        page.wait_for_selector("text=HB-83", state="detached", timeout=ANSWER_MS)
        page.close()


def test_restart_asks_about_the_last_redemption(browser: Browser, opened: Opened) -> None:
    opened.one.redeem(Presentation(opened.cards.plain), Request("pangan"))
    opened.one.close()
    opened.one = open_counter(opened.one.folder, clock=opened.town.clock, serving=True)
    with serving(opened.one) as served:
        page = browser.new_page()
        page.goto(served.entry)
        page.wait_for_selector("text=HB-92")
        assert "T001-0001" in page.inner_text("#notices")
        page.close()


def test_window_of_an_earlier_start_says_that_it_has_passed(
    browser: Browser, opened: Opened
) -> None:
    with serving(opened.one) as served:
        page = browser.new_page()
        page.goto(served.entry)
        page.context.clear_cookies()
        page.wait_for_selector("text=HB-84", timeout=ANSWER_MS)
        page.close()
