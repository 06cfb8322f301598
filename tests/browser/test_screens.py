"""Each verdict differs by word, shape and colour, is read at three metres, and fits every size."""

from __future__ import annotations

import pytest

from tests.browser.screen import Screen
from tests.browser.verdicts import WAYS, Way

pytestmark = pytest.mark.browser

SIZES = ((1366, 768), (800, 520), (683, 384))
"""The counter, a frame of the demo, the counter at 200 %."""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_verdict_has_its_word_shape_and_colour(way: Way, screen: Screen) -> None:
    way.walk(screen)
    page = screen.page
    verdict = page.locator(".verdict")
    assert screen.word.replace("\n", " ") == way.word
    assert page.get_attribute("body", "data-tone") == way.tone
    assert verdict.get_attribute("data-shape") == way.shape
    if screen.kind == "refused":
        assert verdict.get_attribute("data-reason") == way.name
        assert page.locator(".code").inner_text().startswith("HB-")
        assert verdict.get_attribute("role") == "alert"
    assert word_pixels(screen) >= 118
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(100)
        assert sideways(screen) == 0, (width, height)
        assert page.locator(".acts button:visible").count() >= 1
        for button in page.locator(".verdict .acts button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height, (width, height)


def word_pixels(screen: Screen) -> float:
    style = "parseFloat(getComputedStyle(document.querySelector('.word')).fontSize)"
    return float(screen.page.evaluate(style))


def sideways(screen: Screen) -> int:
    root = "document.documentElement"
    return int(screen.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))
