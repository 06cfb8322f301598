"""Finding a family by KTP or KK with keys alone; the digits stand nowhere but in their mask."""

from __future__ import annotations

import pytest

from tests.browser.screen import Screen
from tests.browser.town import KK, NIK, NOBODYS, PUPIL_NIK

pytestmark = pytest.mark.browser


def mask(screen: Screen) -> list[str]:
    return screen.page.locator("#number .mask span").all_inner_texts()


def test_family_without_a_card_is_found_compared_and_given_to(screen: Screen) -> None:
    screen.opened.open_day()
    screen.look_up(KK)
    assert (screen.kind, screen.word) == ("match", "Cocok?")
    assert "Siti Aminah" in screen.text
    assert "Nomor KK 6299••••••••0003" in screen.text
    screen.press("Enter")
    screen.wait("approved")
    assert "Tanpa kartu: KTP/KK sudah dicocokkan" in screen.text
    screen.press("Enter")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_digits_are_masked_as_they_are_typed_and_never_in_the_page(screen: Screen) -> None:
    screen.opened.open_day()
    screen.open_pad()
    screen.page.keyboard.type(KK[:6])
    assert mask(screen) == ["6", "2", "9", "9", "•", "•", *[""] * 10]
    assert screen.page.inner_text("#number .count") == "6 dari 16 angka"
    screen.page.keyboard.press("Backspace")
    assert mask(screen)[5] == ""
    screen.page.keyboard.type(KK[5:])
    assert "".join(mask(screen)) == "6299••••••••0003"
    html = screen.page.content()
    screen.press("Enter")
    screen.wait("match")
    for page in (html, screen.page.content()):
        assert KK not in page
        assert KK[4:12] not in page
    assert screen.page.evaluate("[localStorage, sessionStorage].map(s => JSON.stringify(s)).join()")
    kept = screen.page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert KK not in kept
    assert KK not in screen.page.url
    assert mask(screen) == [""] * 16  # forgotten once it was handed over


def test_number_that_is_not_whole_is_not_looked_up(screen: Screen) -> None:
    screen.opened.open_day()
    screen.open_pad()
    find = screen.page.locator("[data-do=find]")
    for typed in (KK[:15], KK[15] + "1"):
        screen.page.keyboard.type(typed)
        assert find.is_disabled() == (typed != KK[15])
    screen.press("Enter")
    assert screen.kind == "ready"
    assert screen.page.inner_text("#number .count") == "17 dari 16 angka"
    screen.page.keyboard.press("Backspace")
    assert find.is_enabled()


def test_spaces_and_dots_between_digits_do_not_count(screen: Screen) -> None:
    screen.opened.open_day()
    screen.open_pad()
    screen.page.keyboard.type("6299 0128-0226.0003", delay=30)
    screen.press("Enter")
    screen.wait("match")
    assert "Siti Aminah" in screen.text


def test_escape_leaves_and_forgets_what_was_typed(screen: Screen) -> None:
    screen.open_pad()
    screen.page.keyboard.type(KK)
    screen.page.keyboard.press("Escape")
    screen.page.wait_for_selector("#number", state="hidden")
    screen.open_pad()
    assert mask(screen) == [""] * 16
    assert screen.kind == "ready"


def test_card_scanned_while_typing_is_the_next_card(screen: Screen) -> None:
    screen.open_pad()
    screen.page.keyboard.type(KK[:7])
    screen.page.wait_for_timeout(400)
    screen.show(screen.opened.cards.plain)
    assert screen.kind == "approved"
    assert screen.page.is_hidden("#number")
    screen.open_pad()
    assert mask(screen) == [""] * 16


def test_not_the_same_person_gives_nothing(screen: Screen) -> None:
    screen.opened.open_day()
    screen.look_up(NIK)
    assert "NIK 6299••••••••0001 – Siti Aminah" in screen.text
    screen.page.keyboard.press("Escape")
    screen.wait("ready")
    assert screen.redemptions() == 0


@pytest.mark.parametrize("card", ["sample", "not_here", "damaged", "website"])
def test_refusal_of_a_card_offers_the_ktp(screen: Screen, card: str) -> None:
    screen.opened.open_day()
    screen.show(getattr(screen.opened.cards, card))
    assert screen.kind == "refused"
    button = screen.page.locator(".verdict [data-do=number]")
    assert button.inner_text().startswith("Cek dengan KTP/KK")
    button.click()
    screen.page.wait_for_selector("#number:not([hidden])")
    screen.page.keyboard.type(KK)
    screen.press("Enter")
    screen.wait("match")


@pytest.mark.parametrize("card", ["blocked", "expired", "not_listed", "chip", "foreign_issuer"])
def test_refusal_of_the_person_or_a_false_card_offers_none(screen: Screen, card: str) -> None:
    screen.show(getattr(screen.opened.cards, card))
    assert screen.page.locator(".verdict [data-do=number]").count() == 0


def test_members_are_chosen_by_name(screen: Screen) -> None:
    screen.opened.open_day()
    page = screen.page
    page.keyboard.press("F8")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    screen.press("Enter")
    page.wait_for_selector("body[data-programme=klinik]")
    screen.look_up(PUPIL_NIK)
    assert "NIK 6299••••••••0007 – Putri Wijaya" in screen.text
    screen.press("Enter")
    screen.wait("choose")
    names = page.locator("[data-member]").all_inner_texts()
    assert names == ["2. Ratna Wijaya", "3. Putri Wijaya"]
    page.keyboard.press("ArrowRight")
    screen.press("Enter")
    screen.wait("approved")
    assert "3. Putri Wijaya" in screen.text
    screen.press("Enter")
    screen.wait("done")
    assert "Putri" not in page.inner_text(".slip")  # a slip is left on counters


def test_number_of_nobody_is_refused_kindly_and_typed_again(screen: Screen) -> None:
    screen.opened.open_day()
    screen.look_up(NOBODYS)
    assert (screen.kind, screen.word) == ("refused", "BELUM DITEMUKAN")
    screen.look_up(KK)
    assert screen.kind == "match"


def test_held_enter_looks_up_once(screen: Screen) -> None:
    screen.opened.open_day()
    screen.open_pad()
    screen.page.keyboard.type(KK)
    screen.page.wait_for_timeout(650)
    for _ in range(5):
        screen.page.keyboard.press("Enter")
    screen.wait("match")
    screen.page.wait_for_timeout(300)
    counter = screen.opened.one
    kinds = [kind.name for _, kind, _ in counter._desk.journal.kinds(0)]
    assert kinds == ["LOOK_UP"]
