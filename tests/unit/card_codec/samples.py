"""Keys, cards and a trust list for the tests; the keys are made anew in every run."""

from dataclasses import replace

from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import Algorithm, PrivateKey
from card_codec.qr.text import write_text
from card_codec.trust import KeyUse, TrustedKey, TrustList

ISSUED_AT = 1_767_225_600
EXPIRES_AT = ISSUED_AT + 3 * 365 * 86_400

ISSUER = PrivateKey.generate(Algorithm.EDDSA)
MODULE = PrivateKey.generate(Algorithm.ES256)
TERMINAL = PrivateKey.generate(Algorithm.EDDSA)

TRUST = TrustList(
    1,
    [
        TrustedKey(ISSUER.public, KeyUse.ISSUER, "Kalteng", ISSUED_AT),
        TrustedKey(MODULE.public, KeyUse.ISSUER, "Kalteng (module)", ISSUED_AT),
        TrustedKey(TERMINAL.public, KeyUse.TERMINAL, "T001.1", ISSUED_AT),
    ],
)

CARD = Credential(
    household=bytes.fromhex("6299000011223344"),
    issue=1,
    kind=CardKind.CARD,
    issuer="ID-KT",
    audience="KHB26",
    issued_at=ISSUED_AT,
    expires_at=EXPIRES_AT,
)
FULL = replace(CARD, name="SITI AMINAH", chip_uid=bytes(range(7)), photo=bytes(16))


def card_text(credential: Credential = CARD, key: PrivateKey = ISSUER) -> str:
    """The text of a signed card."""
    return write_text(issue_credential(credential, key))
