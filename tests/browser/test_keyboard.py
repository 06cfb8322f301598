"""Every act of the page by keyboard alone."""

import re

import pytest

from tests.browser.screen import Screen

pytestmark = pytest.mark.browser


def test_escape_leaves_and_nothing_is_given(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.page.keyboard.press("Escape")
    screen.wait("ready")
    assert screen.redemptions() == 0
    screen.press("Enter")
    screen.page.wait_for_timeout(200)
    assert screen.redemptions() == 0


def test_language_is_switched_and_remembered(screen: Screen) -> None:
    page = screen.page
    assert page.get_attribute("html", "lang") == "id"
    page.click("text=English")
    page.wait_for_selector("html[lang=en]")
    assert page.inner_text("#ready h1") == "Ready. Scan or tap the card."
    screen.show(screen.opened.cards.plain)
    assert screen.word == "ELIGIBLE"
    assert "Hand over" in screen.text
    page.reload()
    assert page.get_attribute("html", "lang") == "en"


def test_service_is_chosen_with_arrows_and_enter(screen: Screen) -> None:
    page = screen.page
    page.keyboard.press("F8")
    page.wait_for_selector("#service:not([hidden])")
    page.keyboard.press("ArrowDown")
    screen.press("Enter")
    page.wait_for_selector("body[data-programme=pasar-murah]")
    screen.show(screen.opened.cards.plain)
    assert "Warga membayar Rp15.000" in screen.text
    screen.press("F1")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_member_is_chosen_and_one_visit_is_given(screen: Screen) -> None:
    page = screen.page
    page.keyboard.press("F8")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    screen.press("Enter")
    page.wait_for_selector("body[data-programme=klinik]")
    screen.show(screen.opened.cards.children)
    assert screen.kind == "choose"
    assert page.locator("[data-member]").all_inner_texts() == ["Anggota 2", "Anggota 3"]
    page.keyboard.press("ArrowRight")
    screen.press("Enter")
    screen.wait("approved")
    assert "Anggota 3" in screen.text
    assert "1 kunjungan" in screen.text
    assert "Sisa setelah ini: 5 kunjungan" in screen.text
    screen.press("Enter")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_the_scanners_enter_chooses_no_member(screen: Screen) -> None:
    page = screen.page
    page.keyboard.press("F8")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    screen.press("Enter")
    page.wait_for_selector("body[data-programme=klinik]")
    screen.scan(screen.opened.cards.children)
    screen.wait("choose")
    page.keyboard.press("Enter")
    page.wait_for_timeout(700)
    assert screen.kind == "choose"


def test_explanation_turns_to_the_citizen_and_back(screen: Screen) -> None:
    screen.show(screen.opened.cards.sample)
    screen.press("Enter")
    assert "Bapak/Ibu, kartu ini contoh" in screen.text
    assert screen.page.is_hidden(".word")
    screen.press("Enter")
    assert screen.page.is_visible(".word")
    screen.page.keyboard.press("Escape")
    screen.wait("ready")


def test_help_opens_over_any_screen_and_gives_nothing(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.page.keyboard.press("F12")
    screen.page.wait_for_selector("#help:not([hidden])")
    screen.press("Enter")
    screen.page.wait_for_selector("#help", state="hidden")
    assert screen.kind == "approved"
    assert screen.redemptions() == 0


def test_tab_and_space_press_the_button_in_focus(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.dataset.do") == "give"
    assert screen.page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    screen.press(" ")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_single_letters_do_nothing(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    for letter in "yesgiv":
        screen.page.wait_for_timeout(320)
        screen.page.keyboard.press(letter)
    assert screen.kind == "approved"
    assert screen.redemptions() == 0


def test_every_button_has_a_name_and_room_for_a_finger(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    buttons = screen.page.locator("button:visible")
    sizes = [box for box in (b.bounding_box() for b in buttons.all()) if box]
    assert min(box["height"] for box in sizes) >= 56
    assert (screen.page.locator(".verdict .press.main").bounding_box() or {"height": 0})[
        "height"
    ] >= 88
    assert all(text.strip() for text in buttons.all_inner_texts())


def test_slip_is_printed_once_and_then_as_a_copy(screen: Screen) -> None:
    page = screen.page
    page.evaluate("() => { window.printed = 0; window.print = () => { window.printed += 1; }; }")
    screen.show(screen.opened.cards.plain)
    screen.press("F2")
    screen.wait("done")
    page.wait_for_function("() => window.printed === 1")
    assert page.is_visible(".slip-copy")
    screen.press("F2")
    page.wait_for_function("() => window.printed === 2")
    assert screen.redemptions() == 1


def test_printed_slip_is_58_millimetres_wide_and_one_page(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.wait("done")
    pdf = screen.page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert len(boxes) == 1
    assert abs(float(boxes[0][0]) / 72 * 25.4 - 58) < 0.5


def test_green_gives_way_to_ready_by_itself(screen: Screen) -> None:
    screen.page.evaluate("() => { document.body.dataset.doneMs = '700'; }")
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.wait("done")
    screen.wait("ready")
    assert "T001-0001" in screen.page.inner_text("[data-text=last]")
    assert screen.page.inner_text("[data-text=served]") == "1"


def test_no_motion_is_shown_to_who_asked_for_none(screen: Screen) -> None:
    screen.page.emulate_media(reduced_motion="reduce")
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.wait("done")
    style = "getComputedStyle(document.querySelector('.slip')).animationName"
    assert screen.page.evaluate(style) == "none"


def test_sound_can_be_switched_off(screen: Screen) -> None:
    page = screen.page
    screen.show(screen.opened.cards.sample)
    assert page.get_attribute("body", "data-sound") == "1x440"
    page.keyboard.press("F12")
    page.click("[data-do=sound]")
    assert page.inner_text("[data-do=sound]") == "Suara mati"
    screen.show(screen.opened.cards.blocked)
    assert page.get_attribute("body", "data-sound") == ""
