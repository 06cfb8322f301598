"""Receipts: a slip is the journal's own entry, signed; nothing else verifies as one."""

import string
from pathlib import Path

import pytest
from msgspec.structs import replace

from card_codec.keys import Algorithm, PrivateKey
from card_codec.qr.text import write_text
from card_codec.reason import Reason
from card_codec.refusal import Refused
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.entry import Complaint, Content, Entry, Redemption, check_head, sign_head
from ledger.receipt import PREFIX, VerifiedReceipt, verify_receipt, write_receipt
from ledger.rights import Rights
from terminal.counter import Redeemed
from tests.point import make_point
from tests.unit.ledger.samples import CONTENTS, KEY, entry

ALPHABET = string.ascii_uppercase + "234567"
ENTRY = entry(CONTENTS[0], seq=17)


def trusting(
    key: PrivateKey = KEY, *, holder: str = "T001.1", use: KeyUse = KeyUse.TERMINAL
) -> TrustList:
    """A trust list with one key."""
    return TrustList(1, [TrustedKey(key.public, use, holder, 0, None, None)])


def slip(of: Entry = ENTRY, key: PrivateKey = KEY) -> str:
    return write_receipt(of, sign_head(of.leaf, key))


def refusal(text: str, trust: TrustList | None = None) -> Reason | None:
    """Why a slip is refused, None when it is genuine."""
    verified = verify_receipt(text, trust or trusting())
    return verified.reason if isinstance(verified, Refused) else None


def test_genuine_slip_verifies_and_says_what_was_given() -> None:
    verified = verify_receipt(slip(), trusting())
    assert isinstance(verified, VerifiedReceipt)
    assert (verified.entry, verified.number) == (ENTRY, "T001-0017")
    check_head(ENTRY.leaf, verified.signature, KEY.public)


def test_slip_typed_in_small_letters_with_blanks_around_verifies() -> None:
    assert refusal(f"  {slip().lower()}\r\n") is None


def test_slip_of_a_counter_verifies_by_the_installed_roll(tmp_path: Path) -> None:
    point = make_point(tmp_path)
    given = point.show("mawar", quantity=1)
    assert isinstance(given, Redeemed)
    rights = Rights(point.folder.rights)
    verified = verify_receipt(given.receipt, rights.full_trust())
    assert isinstance(verified, VerifiedReceipt)
    assert verified.number == given.number == "T001-0001"
    [kept], signature = point.counter._desk.journal.signed_run(1)
    assert write_receipt(kept, signature) == given.receipt


def test_every_single_changed_character_is_refused() -> None:
    text = slip()
    for at in range(len(text)):
        other = ALPHABET[(ALPHABET.find(text[at]) + 1 + at % 30) % 32]
        if other == text[at]:
            other = "Z" if text[at] != "Z" else "Y"
        assert refusal(text[:at] + other + text[at + 1 :]) is not None, at


def test_slip_cut_or_lengthened_anywhere_is_refused() -> None:
    text = slip()
    for length in range(len(text)):
        assert refusal(text[:length]) is not None
    for more in ("A", "7", "AAAAAAAA", text):
        assert refusal(text + more) is not None


NO_SLIP = [c for c in CONTENTS if not isinstance(c, Redemption | Complaint)]


@pytest.mark.parametrize("content", NO_SLIP, ids=lambda c: type(c).__name__)
def test_entry_that_gave_nothing_is_no_receipt(content: Content) -> None:
    """A refusal must not be shown at another counter as if something had been given."""
    assert refusal(slip(entry(content))) is Reason.MALFORMED


def test_slip_of_a_complaint_verifies_and_is_told_from_a_receipt() -> None:
    complaints = [entry(c, seq=9) for c in CONTENTS if isinstance(c, Complaint)]
    assert complaints
    for filed in complaints:
        verified = verify_receipt(slip(filed), trusting())
        assert isinstance(verified, VerifiedReceipt)
        assert (verified.entry, verified.number, verified.is_complaint) == (
            filed,
            "T001-0009",
            True,
        )
    given = verify_receipt(slip(), trusting())
    assert isinstance(given, VerifiedReceipt)
    assert not given.is_complaint


def test_every_single_changed_character_of_a_complaints_slip_is_refused() -> None:
    text = slip(entry(next(c for c in CONTENTS if isinstance(c, Complaint)), seq=9))
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        assert refusal(text[:at] + other + text[at + 1 :]) is not None, at


def test_slip_of_another_terminal_or_epoch_is_not_this_ones() -> None:
    for holder in ("T002.1", "T001.2", "T001"):
        assert refusal(slip(), trusting(holder=holder)) is Reason.UNKNOWN_ISSUER


def test_slip_signed_by_another_key_is_refused() -> None:
    assert refusal(slip(key=PrivateKey.generate())) is Reason.BAD_SIGNATURE
    assert refusal(slip(), trusting(PrivateKey.generate())) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("use", [KeyUse.ISSUER, KeyUse.LOG])
def test_key_of_another_use_signs_no_slip(use: KeyUse) -> None:
    assert refusal(slip(), trusting(use=use)) is Reason.UNKNOWN_ISSUER


def test_any_key_of_the_terminals_epoch_that_fits_verifies() -> None:
    """The roll may list a key that was replaced within an epoch."""
    older = TrustedKey(PrivateKey.generate().public, KeyUse.TERMINAL, "T001.1", 0, None, None)
    trust = TrustList(1, [older, *trusting().keys])
    assert refusal(slip(), trust) is None


def test_es256_terminal_signs_slips_too() -> None:
    key = PrivateKey.generate(Algorithm.ES256)
    assert refusal(slip(key=key), trusting(key)) is None


def test_signature_over_the_bare_leaf_is_no_slip() -> None:
    assert refusal(write_receipt(ENTRY, KEY.sign(ENTRY.leaf))) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "text",
    ["", PREFIX, PREFIX + "A" * 1997, "KHB1" + slip()[4:], write_text(bytes(64), PREFIX),
     write_text(bytes(40), PREFIX), "https://example.org", "T001-0017"],
)  # fmt: skip
def test_text_that_is_no_slip_is_malformed(text: str) -> None:
    assert refusal(text) is Reason.MALFORMED


def test_card_is_no_slip_and_slip_is_no_card(tmp_path: Path) -> None:
    point = make_point(tmp_path)
    assert refusal(point.cards["mawar"]) is Reason.MALFORMED
    point.cards["struk"] = slip()
    assert point.show("struk") == Refused(Reason.MALFORMED)


def test_longest_slip_is_short_enough_to_be_read() -> None:
    """The largest numbers an entry can say still fit the limits of the text."""
    content = replace(CONTENTS[0], quantity=2**24 - 1, paid=2**53, issue=255, member=255)
    assert len(slip(entry(content, seq=2**32 - 1))) < 400
