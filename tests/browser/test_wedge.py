"""A scanner types into the page; only a person's Enter gives."""

import pytest

from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.receipt import VerifiedReceipt, verify_receipt
from tests.browser.screen import Screen

pytestmark = pytest.mark.browser

SAME_CARD_MS = 3_200


def test_keystrokes_then_enter_give_a_receipt_that_verifies(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    assert (screen.kind, screen.word) == ("approved", "BERHAK")
    assert "Siti Aminah" in screen.text
    assert "1 paket: beras 5 kg" in screen.text
    assert screen.redemptions() == 0
    assert screen.page.get_attribute("body", "data-tone") == "paper"

    screen.press("Enter")
    screen.wait("done")
    assert (screen.word, screen.page.get_attribute("body", "data-tone")) == ("SELESAI", "green")
    assert screen.redemptions() == 1
    last = screen.opened.one.state().last
    assert last is not None
    assert last.number in screen.text
    receipt = screen.page.get_attribute(".slip-code", "data-receipt") or ""
    key = screen.opened.one.folder.signer().public
    trust = TrustList(1, [TrustedKey(key, KeyUse.TERMINAL, "T001.1", 0, None, None)])
    verified = verify_receipt(receipt, trust)
    assert isinstance(verified, VerifiedReceipt)
    assert verified.number == last.number


def test_green_comes_only_after_the_commit(screen: Screen) -> None:
    """Whatever is green has been recorded: the screen before is paper."""
    tones: list[str] = []

    def tell(tone: str) -> None:
        tones.append(tone)

    screen.page.expose_function("tell", tell)
    screen.page.evaluate(
        "new MutationObserver(() => tell(document.body.dataset.tone)).observe(document.body,"
        "{attributes: true, attributeFilter: ['data-tone']})"
    )
    screen.show(screen.opened.cards.plain)
    screen.page.wait_for_timeout(800)
    assert "green" not in tones
    screen.press("Enter")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_the_scanners_own_enter_never_confirms(screen: Screen) -> None:
    screen.scan(screen.opened.cards.plain)
    for _ in range(4):
        screen.page.keyboard.press("Enter")
    screen.wait("approved")
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_timeout(300)
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_timeout(800)
    assert screen.kind == "approved"
    assert screen.redemptions() == 0


def test_function_keys_right_after_a_scan_confirm_nothing(screen: Screen) -> None:
    screen.scan(screen.opened.cards.plain)
    screen.wait("approved")
    screen.page.keyboard.press("F1")
    screen.page.keyboard.press("F2")
    screen.page.wait_for_timeout(800)
    assert screen.redemptions() == 0


def test_a_scan_presses_no_button_that_has_the_focus(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.page.focus("[data-do=give]")
    screen.page.wait_for_timeout(700)
    screen.scan("HTTPS://EXAMPLE.ORG A B C")
    screen.wait("refused")
    assert screen.redemptions() == 0


def test_a_scan_during_a_verdict_is_the_next_person(screen: Screen) -> None:
    cards = screen.opened.cards
    screen.show(cards.plain)
    screen.show(cards.second)
    assert "Bambang Riyadi" in screen.text
    screen.press("Enter")
    screen.wait("done")
    assert "Bambang R." in screen.text
    assert screen.redemptions() == 1
    screen.show(cards.third)
    assert (screen.kind, "Dewi Lestari" in screen.text) == ("approved", True)


def test_the_same_card_twice_at_once_is_one_look(screen: Screen) -> None:
    screen.show(screen.opened.cards.blocked)
    act = screen.act
    screen.scan(screen.opened.cards.blocked)
    screen.page.wait_for_timeout(600)
    assert screen.act == act
    assert screen.refusals() == 1


def test_a_double_scan_after_the_commit_is_never_already_taken(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.wait("done")
    screen.scan(screen.opened.cards.plain)
    screen.page.wait_for_timeout(600)
    assert (screen.kind, screen.word) == ("done", "SELESAI")
    assert (screen.redemptions(), screen.refusals()) == (1, 0)


def test_the_same_card_later_is_already_taken_with_when_and_where(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.wait("done")
    screen.press("Escape")
    screen.page.wait_for_timeout(SAME_CARD_MS)
    screen.show(screen.opened.cards.plain)
    assert (screen.kind, screen.word) == ("refused", "SUDAH DIAMBIL")
    assert "hari ini pukul 21.13" in screen.text
    assert "Balai Desa Bukit Rawi" in screen.text
    assert "T001-0001" in screen.text
    assert "HB-21" in screen.text


def test_two_enters_are_one_redemption(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain)
    screen.press("Enter")
    screen.page.keyboard.press("Enter")
    screen.page.keyboard.press("Enter")
    screen.wait("done")
    assert screen.redemptions() == 1


def test_slow_typing_is_no_scan(screen: Screen) -> None:
    screen.page.keyboard.type("halo", delay=150)
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_timeout(400)
    assert screen.kind == "ready"
    assert screen.refusals() == 0


def test_keys_typed_long_before_a_scan_are_not_part_of_it(screen: Screen) -> None:
    screen.page.keyboard.type("XY")
    screen.page.wait_for_timeout(400)
    screen.show(screen.opened.cards.plain)
    assert screen.word == "BERHAK"


def test_a_scan_without_its_enter_is_dropped_and_said(screen: Screen) -> None:
    screen.scan(screen.opened.cards.plain, enter=False)
    screen.page.wait_for_function(
        "() => document.getElementById('doing').textContent.includes('HB-87')", timeout=5_000
    )
    assert screen.kind == "ready"


def test_lower_case_from_caps_lock_is_read(screen: Screen) -> None:
    screen.show(screen.opened.cards.plain.lower())
    assert screen.word == "BERHAK"


def test_a_scanner_of_another_layout_is_told_so(screen: Screen) -> None:
    text = screen.opened.cards.plain
    screen.show(text[:40] + "ß;" + text[42:])
    assert (screen.word, "HB-53" in screen.text) == ("KARTU TIDAK TERBACA", True)


def test_pasted_text_is_a_scan(screen: Screen) -> None:
    screen.page.evaluate(
        "text => { const data = new DataTransfer(); data.setData('text/plain', text);"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data})); }",
        screen.opened.cards.plain,
    )
    screen.wait("approved")
    assert screen.word == "BERHAK"
