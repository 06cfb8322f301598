import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import cwt
import pytest

from card_codec import credential as module
from card_codec.credential import (
    CardKind,
    Credential,
    VerifiedCredential,
    check_audience,
    check_dates,
    check_kind,
    hear_text,
    issue_credential,
    read_unverified,
    verify_credential,
)
from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey
from card_codec.qr.text import write_text
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from card_codec.trust import KeyUse, TrustedKey, TrustList
from tests.unit.card_codec.samples import (
    CARD,
    EXPIRES_AT,
    FULL,
    ISSUED_AT,
    ISSUER,
    MODULE,
    TERMINAL,
    TRUST,
    card_text,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _verified(credential: Credential = CARD) -> VerifiedCredential:
    verified = verify_credential(issue_credential(credential, ISSUER), TRUST)
    assert isinstance(verified, VerifiedCredential)
    return verified


@pytest.mark.parametrize("key", [ISSUER, MODULE], ids=["EdDSA", "ES256"])
@pytest.mark.parametrize("credential", [CARD, FULL], ids=["card", "full"])
def test_issued_card_is_heard_as_issued(credential: Credential, key: PrivateKey) -> None:
    heard = hear_text(card_text(credential, key), TRUST)
    assert isinstance(heard, VerifiedCredential)
    assert heard.credential == credential
    assert heard.issuer_kid == key.public.kid


def test_smallest_card_fits_a_small_code() -> None:
    # QR version 8 at level M holds 221 alphanumeric characters.
    assert len(issue_credential(CARD, ISSUER)) == 125
    assert len(card_text()) == 204


@pytest.mark.slow
def test_every_single_changed_character_is_refused() -> None:
    text = card_text(FULL)
    allowed = {Reason.MALFORMED, Reason.UNKNOWN_ISSUER, Reason.BAD_SIGNATURE}
    seen = set()
    for at, right in enumerate(text):
        for wrong in ALPHABET.replace(right, ""):
            heard = hear_text(text[:at] + wrong + text[at + 1 :], TRUST)
            assert isinstance(heard, Refused), (at, wrong)
            assert heard.reason in allowed, (at, wrong)
            seen.add(heard.reason)
    assert seen == allowed


def test_every_dropped_or_doubled_character_is_refused() -> None:
    text = card_text()
    for at in range(len(text)):
        for changed in (text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:]):
            if changed != text:
                assert isinstance(hear_text(changed, TRUST), Refused)


def test_scanner_that_changes_y_and_z_over_is_told_as_such() -> None:
    swap = str.maketrans("YZyz", "ZYzy")
    seen = set()
    for issue in range(1, 60):
        text = card_text(replace(CARD, issue=issue))
        heard = hear_text(text.translate(swap).lower(), TRUST)
        assert isinstance(heard, Refused)
        several = text.count("Y") + text.count("Z") > 1
        assert (heard.reason is Reason.SCANNER_LAYOUT) is several
        seen.add(several)
    assert True in seen


def test_terminals_key_issues_no_cards() -> None:
    heard = hear_text(card_text(key=TERMINAL), TRUST)
    assert heard == Refused(Reason.UNKNOWN_ISSUER)


def test_revoked_issuer_signs_nothing_whatever_date_it_writes() -> None:
    data = issue_credential(CARD, ISSUER)
    trust = TrustList(
        2, [TrustedKey(ISSUER.public, KeyUse.ISSUER, "Kalteng", 0, None, ISSUED_AT + 1_000)]
    )
    assert verify_credential(data, trust) == Refused(Reason.UNKNOWN_ISSUER)


@pytest.mark.parametrize(
    ("since", "until", "good"),
    [
        (ISSUED_AT, None, True),
        (ISSUED_AT + 1, None, False),
        (0, ISSUED_AT, False),
        (0, ISSUED_AT + 1, True),
    ],
)
def test_card_must_be_dated_while_its_key_was_valid(
    since: int, until: int | None, good: bool
) -> None:
    key = TrustedKey(ISSUER.public, KeyUse.ISSUER, "Kalteng", since, until)
    heard = verify_credential(issue_credential(CARD, ISSUER), TrustList(1, [key]))
    assert isinstance(heard, VerifiedCredential) is good
    assert good or heard == Refused(Reason.UNKNOWN_ISSUER)


@pytest.mark.parametrize(
    "change",
    [
        {"household": bytes(7)},
        {"issue": 0},
        {"issue": 256},
        {"kind": 4},
        {"issuer": "kt"},
        {"audience": "KHB 26"},
        {"expires_at": ISSUED_AT},
        {"issued_at": -1},
        {"name": ""},
        {"name": " SITI"},
        {"name": "x" * 61},
        {"name": "a\u2028b"},
        {"chip_uid": bytes(6)},
        {"photo": bytes(15)},
    ],
)
def test_card_with_a_field_out_of_bounds_is_not_issued(change: dict[str, Any]) -> None:
    with pytest.raises(CardCodecError) as caught:
        issue_credential(replace(CARD, **change), ISSUER)
    assert caught.value.code == "malformed"


def test_independent_library_verifies_our_card() -> None:
    for key in (ISSUER, MODULE):
        cose_key = cwt.COSEKey.from_pem(key.public.to_pem(), kid=key.public.kid)
        claims = cwt.decode(issue_credential(FULL, key), cose_key)
        assert claims == {
            1: "ID-KT",
            3: "KHB26",
            4: EXPIRES_AT,
            6: ISSUED_AT,
            7: FULL.household + b"\x01",
            169: {4: "SITI AMINAH"},
            -65537: 1,
            -65538: FULL.chip_uid,
            -65539: FULL.photo,
        }


def test_we_refuse_what_the_independent_library_lets_through() -> None:
    # It returns the claims of an unsigned map; the reason why it is not used at run time.
    unsigned = bytes.fromhex("a1016861747461636b6572")
    cose_key = cwt.COSEKey.from_pem(ISSUER.public.to_pem(), kid=ISSUER.public.kid)
    assert cwt.decode(unsigned, cose_key) == {1: "attacker"}
    assert verify_credential(unsigned, TRUST) == Refused(Reason.MALFORMED)


class TestVerifiedCredential:
    """It cannot be had but by verifying."""

    @pytest.mark.parametrize("args", [(), (CARD,), (CARD, b"kid0"), (object(),)])
    def test_cannot_be_constructed(self, args: tuple[Any, ...]) -> None:
        with pytest.raises(TypeError):
            VerifiedCredential(*args)
        with pytest.raises(TypeError):
            VerifiedCredential.__new__(VerifiedCredential, *args)

    def test_cannot_be_copied_replaced_or_pickled(self) -> None:
        verified = _verified()
        with pytest.raises(TypeError):
            copy.copy(verified)
        with pytest.raises(TypeError):
            copy.deepcopy(verified)
        with pytest.raises(TypeError):
            replace(verified, credential=FULL)  # type: ignore[type-var]
        with pytest.raises(TypeError):
            pickle.dumps(verified)

    def test_cannot_be_changed(self) -> None:
        verified = _verified()
        for name in ("credential", "_credential", "issuer_kid", "other"):
            with pytest.raises(AttributeError):
                setattr(verified, name, FULL)
        with pytest.raises(AttributeError):
            del verified._credential
        with pytest.raises(FrozenInstanceError):
            verified.credential.issue = 2  # type: ignore[misc]
        assert verified.credential == CARD

    def test_cannot_be_subclassed(self) -> None:
        with pytest.raises(TypeError):
            type("Forged", (VerifiedCredential,), {})

    def test_seal_is_not_public(self) -> None:
        assert not [name for name in vars(module) if "seal" in name.lower() and name[0] != "_"]

    def test_equal_ones_are_equal_and_say_so(self) -> None:
        assert _verified() == _verified()
        assert hash(_verified()) == hash(_verified())
        assert _verified() != _verified(FULL)
        assert _verified() != CARD
        assert ISSUER.public.kid.hex() in repr(_verified())


def test_unverified_reading_names_the_claims_and_the_kid() -> None:
    stranger = PrivateKey.generate()
    assert read_unverified(issue_credential(FULL, stranger)) == (FULL, stranger.public.kid)
    with pytest.raises(CardCodecError):
        read_unverified(b"\xd2\x80")
    with pytest.raises(CardCodecError):
        read_unverified(b"")


@pytest.mark.parametrize(
    ("kind", "training", "reason"),
    [
        (CardKind.CARD, False, None),
        (CardKind.CARD, True, None),
        (CardKind.SAMPLE, False, Reason.SAMPLE_CARD),
        (CardKind.SAMPLE, True, Reason.SAMPLE_CARD),
        (CardKind.TRAINING, False, Reason.TRAINING_CARD),
        (CardKind.TRAINING, True, None),
    ],
)
def test_kind_decides_where_a_card_is_served(
    kind: CardKind, training: bool, reason: Reason | None
) -> None:
    refused = check_kind(replace(CARD, kind=kind), training=training)
    assert refused == (None if reason is None else Refused(reason))


def test_card_for_another_programme_is_refused() -> None:
    assert check_audience(CARD, {"KHB26", "KHB27"}) is None
    assert check_audience(CARD, {"KHB27"}) == Refused(Reason.WRONG_AUDIENCE)


def test_dates_refuse_only_what_is_certain() -> None:
    day = 86_400
    assert check_dates(CARD, early=ISSUED_AT, late=ISSUED_AT) is None
    # The terminal's clock stands before the card was made, but the true time may be later.
    assert check_dates(CARD, early=ISSUED_AT - day, late=ISSUED_AT) is None
    assert check_dates(CARD, early=0, late=ISSUED_AT - 1) == Refused(
        Reason.NOT_YET_VALID, Facts(day=ISSUED_AT)
    )
    assert check_dates(CARD, early=EXPIRES_AT - 1, late=EXPIRES_AT + day) is None
    assert check_dates(CARD, early=EXPIRES_AT, late=EXPIRES_AT) == Refused(
        Reason.EXPIRED, Facts(day=EXPIRES_AT)
    )


def test_refusals_of_a_text_keep_their_codes() -> None:
    assert hear_text("https://example.org", TRUST) == Refused(Reason.NOT_OUR_CARD)
    assert hear_text("KHB&" + "q" * 60 + "é", TRUST) == Refused(Reason.SCANNER_LAYOUT)
    assert hear_text(write_text(b"\x00"), TRUST) == Refused(Reason.MALFORMED)
