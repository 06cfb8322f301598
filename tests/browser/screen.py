"""A counter's screen in the browser, with the hands of an officer."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page

from tests.browser.town import Opened

# What the page waits before an Enter counts as a person's, with room for a busy machine.
A_PERSON_LATER_MS = 650
ANSWER_MS = 10_000


@dataclass
class Screen:
    """A counter's screen, with the hands of an officer."""

    page: Page
    opened: Opened
    complaints: list[str] = field(default_factory=list)

    def scan(self, text: str, *, enter: bool = True) -> None:
        """Type as a wedge scanner does, whatever has the focus."""
        self.page.wait_for_selector("body[data-live]")
        self.page.keyboard.type(text)
        if enter:
            self.page.keyboard.press("Enter")

    def show(self, text: str) -> None:
        """Scan, and wait for what comes of it."""
        before = self.act
        self.scan(text)
        self.page.wait_for_function(
            "before => (document.querySelector('.verdict')?.dataset.act ?? '') !== before",
            arg=before,
            timeout=ANSWER_MS,
        )

    def open_pad(self) -> None:
        """Open the screen on which a number is typed."""
        self.page.wait_for_selector("body[data-live]")
        self.page.keyboard.press("F4")
        self.page.wait_for_selector("#number:not([hidden])")

    def look_up(self, digits: str) -> None:
        """Type a number of a KTP or KK as a person does, and wait for whom it leads to."""
        before = self.act
        self.open_pad()
        self.page.keyboard.type(digits)
        self.press("Enter")
        self.page.wait_for_function(
            "before => (document.querySelector('.verdict')?.dataset.act ?? '') !== before",
            arg=before,
            timeout=ANSWER_MS,
        )

    def press(self, key: str) -> None:
        """Press a key as a person does: after having read."""
        self.page.wait_for_timeout(A_PERSON_LATER_MS)
        self.page.keyboard.press(key)

    def wait(self, kind: str) -> None:
        """Wait for a kind of screen."""
        self.page.wait_for_selector(f"body[data-kind={kind}]", timeout=ANSWER_MS)

    @property
    def kind(self) -> str:
        return self.page.get_attribute("body", "data-kind") or ""

    @property
    def act(self) -> str:
        verdict = self.page.locator(".verdict")
        return (verdict.get_attribute("data-act") or "") if verdict.count() else ""

    @property
    def word(self) -> str:
        return self.page.inner_text(".word")

    @property
    def text(self) -> str:
        return self.page.inner_text("#stage")

    def redemptions(self) -> int:
        """How many counter 1 has recorded."""
        return self.opened.one.state().served_today

    def refusals(self) -> int:
        """How many refusals counter 1 has recorded."""
        return self.opened.one.state().refused_today
