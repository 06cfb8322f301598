"""Cards heard by picture: a chosen file, and the camera."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload

from card_codec.qr import picture
from tests.browser.screen import ANSWER_MS, Screen
from tests.browser.town import Opened
from tests.served import serving

pytestmark = pytest.mark.browser


def test_chosen_picture_of_a_card_is_judged(screen: Screen) -> None:
    choose(screen, picture.png(screen.opened.cards.plain))
    screen.wait("approved")
    screen.press("Enter")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_picture_without_a_code_is_refused_as_malformed(screen: Screen) -> None:
    choose(screen, blank())
    screen.wait("refused")
    assert screen.page.get_attribute(".verdict", "data-reason") == "malformed"
    assert screen.refusals() == 1


def test_file_that_is_no_picture_is_unreadable(screen: Screen) -> None:
    choose(screen, b"this is no picture")
    screen.wait("refused")
    assert "HB-57" in screen.text


def test_picture_that_is_too_large_is_told_in_one_sentence(screen: Screen) -> None:
    choose(screen, b"\x89PNG" + bytes(9_000_000))
    screen.page.wait_for_function(
        "() => document.getElementById('doing').textContent.includes('HB-81')"
    )
    assert screen.kind == "ready"


def choose(screen: Screen, data: bytes) -> None:
    file = FilePayload(name="card.png", mimeType="image/png", buffer=data)
    screen.page.set_input_files("#picture", file)


def blank() -> bytes:
    out = io.BytesIO()
    Image.new("L", (200, 200), 255).save(out, "PNG")
    return out.getvalue()


# --- the camera ---


@pytest.fixture
def filmed(browser: Browser, opened: Opened, tmp_path: Path) -> Iterator[Screen]:
    """A counter whose camera sees a family's card, and goes on seeing it."""
    film = tmp_path / "card.y4m"
    write_film(film, picture.png(opened.cards.plain, module_px=6))
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    program = shutil.which("chromium")
    with serving(opened.one) as served:
        chromium = browser.browser_type.launch(executable_path=program, args=arguments)
        page = chromium.new_page()
        page.goto(served.entry)
        yield Screen(page, opened)
        chromium.close()


def test_card_before_the_camera_is_judged_once(filmed: Screen) -> None:
    filmed.page.click("[data-do=camera]")
    filmed.wait("approved")
    assert "Siti Aminah" in filmed.text
    filmed.press("Enter")
    filmed.wait("done")
    # The card still lies there: it is neither given again nor called already taken.
    filmed.page.keyboard.press("Escape")
    filmed.page.wait_for_timeout(4_000)
    assert filmed.kind == "ready"
    assert (filmed.redemptions(), filmed.refusals()) == (1, 0)


def test_camera_sends_at_most_four_frames_a_second(filmed: Screen, opened: Opened) -> None:
    frames: list[str] = []
    filmed.page.on(
        "request", lambda r: frames.append(r.url) if r.url.endswith("/picture") else None
    )
    filmed.page.click("[data-do=camera]")
    filmed.wait("approved")
    filmed.page.keyboard.press("Escape")
    frames.clear()
    filmed.page.wait_for_timeout(3_000)
    assert 1 <= len(frames) <= 13
    filmed.page.click("[data-do=camera]")
    filmed.page.wait_for_selector("#camera", state="hidden", timeout=ANSWER_MS)


def write_film(path: Path, png: bytes) -> None:
    """A grey film of one frame (YUV4MPEG2), 1280 × 720, the card in its middle."""
    frame = Image.new("L", (1280, 720), 200)
    code = Image.open(io.BytesIO(png)).convert("L")
    frame.paste(code, ((1280 - code.width) // 2, (720 - code.height) // 2))
    colours = bytes([128]) * (1280 * 720 // 2)
    head = b"YUV4MPEG2 W1280 H720 F10:1 Ip A1:1 C420jpeg\n"
    path.write_bytes(head + (b"FRAME\n" + frame.tobytes() + colours) * 2)
