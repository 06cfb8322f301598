"""The credential: the signed content of a card. It says who, never what is owed.

A CWT (RFC 8392) in COSE_Sign1, at most 1,000 bytes. `verify_credential` is the only way to a
`VerifiedCredential`; kind, audience, dates and status are judged by the counter afterwards, in
that order, for the first two of these with the pure rules at the end of this file.

One card may have several valid encodings: never key anything by the bytes, only by household and
issue number. Format: docs/spec/credential.md.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn, final

from card_codec import canonical
from card_codec.canonical import Encodable, Value, take_bytes, take_int, take_map, take_text
from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError, malformed
from card_codec.keys import PublicKey, Signer
from card_codec.qr.text import read_text
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from card_codec.trust import KeyUse, TrustList

SIZE_BYTES_MAX = 1000
HOUSEHOLD_BYTES = 8
ISSUE_MAX = 255
NAME_LENGTH_MAX = 60
PHOTO_HASH_BYTES = 16
CHIP_UID_BYTES = (4, 7, 10)  # the three sizes of ISO/IEC 14443-3

_ISS, _AUD, _EXP, _IAT, _CTI = 1, 3, 4, 6, 7
_CLAIM_169 = 169
_KIND, _UID, _PHOTO = -65537, -65538, -65539
_CLAIM_169_NAME = 4
_REQUIRED = frozenset((_ISS, _AUD, _EXP, _IAT, _CTI, _KIND))
_OPTIONAL = frozenset((_CLAIM_169, _UID, _PHOTO))

_QWERTZ = str.maketrans("YZyz", "ZYzy")
_ISSUER_FORM = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")  # ISO 3166-2
_AUDIENCE_FORM = re.compile(r"[A-Z0-9]{1,16}")


class CardKind(IntEnum):
    """What a card is for."""

    CARD = 1
    SAMPLE = 2
    TRAINING = 3


@dataclass(frozen=True, slots=True)
class Credential:
    """What a card says, believed or not.

    Attributes:
        household: 8 bytes, stable over cards and family papers (KK).
        issue: number of the card within the household, 1 to 255; the ledger knows the current.
        kind: card, sample or training card.
        issuer: who issued it, ISO 3166-2, ``ID-KT``.
        audience: the programme family it is for, ``KHB26``.
        issued_at: unix seconds.
        expires_at: unix seconds, after `issued_at`.
        name: name to compare with the KTP, at most 60 characters, or None.
        chip_uid: UID of the chip that carries it (4, 7 or 10 bytes); None in a QR.
        photo: the first 16 bytes of SHA-256 of the photo, or None.
    """

    household: bytes
    issue: int
    kind: CardKind
    issuer: str
    audience: str
    issued_at: int
    expires_at: int
    name: str | None = None
    chip_uid: bytes | None = None
    photo: bytes | None = None


_SEAL = object()


@final
class VerifiedCredential:
    """A credential whose issuer's signature was checked. Only `verify_credential` makes one."""

    __slots__ = ("_credential", "_issuer_kid")

    _credential: Credential
    _issuer_kid: bytes

    def __new__(cls, *args: object, **kwargs: object) -> "VerifiedCredential":
        """Refuse; the way to one is `verify_credential`."""
        if args != (_SEAL,) or kwargs:
            raise TypeError("a VerifiedCredential comes only from verify_credential")
        return super().__new__(cls)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("VerifiedCredential cannot be subclassed")

    @property
    def credential(self) -> Credential:
        """What the card says."""
        return self._credential

    @property
    def issuer_kid(self) -> bytes:
        """The kid (4 bytes) of the issuer's key that signed it."""
        return self._issuer_kid

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a VerifiedCredential does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a VerifiedCredential does not change")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a VerifiedCredential is neither copied nor pickled")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VerifiedCredential):
            return NotImplemented
        return self._credential == other._credential and self._issuer_kid == other._issuer_kid

    def __hash__(self) -> int:
        return hash((self._credential, self._issuer_kid))

    def __repr__(self) -> str:
        return f"VerifiedCredential({self._credential!r}, issuer_kid={self._issuer_kid.hex()})"


def issue_credential(credential: Credential, signer: Signer) -> bytes:
    """The credential signed: a COSE_Sign1 of at most 1,000 bytes.

    Raises:
        CardCodecError: `malformed`, if a field is out of its bounds.
    """
    claims = _write_claims(credential)
    if _read_claims(claims) != credential:
        raise malformed("the credential has a field that does not survive being written")
    return sign1(claims, signer)


def hear_text(text: str, trust: TrustList) -> VerifiedCredential | Refused:
    """What a scanner, a picture or a keyboard gave, verified.

    Refusals: `malformed`, `scanner_layout`, `not_our_card`, `unknown_issuer`, `bad_signature`.
    """
    heard = _hear(text, trust)
    if isinstance(heard, Refused) and _is_typed_on_qwertz(text, trust):
        return Refused(Reason.SCANNER_LAYOUT)
    return heard


def _hear(text: str, trust: TrustList) -> VerifiedCredential | Refused:
    try:
        data = read_text(text)
    except CardCodecError as exc:
        return Refused(Reason(exc.code))
    return verify_credential(data, trust)


def _is_typed_on_qwertz(text: str, trust: TrustList) -> bool:
    """Whether a refused text is a good card with Y and Z changed over throughout.

    It stays refused: the officer is told to set up the scanner, not that the card is not genuine.
    One place alone may be damage, and is no sign of a keyboard.
    """
    if sum(text.upper().count(letter) for letter in "YZ") < 2:
        return False
    return isinstance(_hear(text.translate(_QWERTZ), trust), VerifiedCredential)


def verify_credential(data: bytes, trust: TrustList) -> VerifiedCredential | Refused:
    """The content of a card, checked: form, issuer's key, signature, shape of the claims.

    A key that is revoked signs nothing any more, whatever date it writes. A credential must be
    dated within the time its issuer's key was valid. Both are `unknown_issuer`.

    Args:
        data: COSE_Sign1, at most 1,000 bytes.
        trust: the keys that count.
    """

    def find_key(kid: bytes) -> PublicKey | None:
        trusted = trust.find(kid, KeyUse.ISSUER)
        return trusted.key if trusted is not None and trusted.revoked_at is None else None

    try:
        claims, key = open_sign1(data, find_key, size_max=SIZE_BYTES_MAX)
        credential = _read_claims(claims)
    except CardCodecError as exc:
        return Refused(Reason(exc.code))
    trusted = trust.find(key.kid, KeyUse.ISSUER)
    if trusted is None or not (
        trusted.valid_from <= credential.issued_at
        and (trusted.valid_until is None or credential.issued_at < trusted.valid_until)
    ):
        return Refused(Reason.UNKNOWN_ISSUER)
    return _sealed(credential, key.kid)


def read_unverified(data: bytes) -> tuple[Credential, bytes]:
    """What a card claims to say and the kid it names, WITHOUT any check of the signature.

    For inspection only; nothing may be handed over on it.

    Raises:
        CardCodecError: `malformed`.
    """
    if data[:1] != b"\xd2":
        raise malformed("this is not a COSE_Sign1 (tag 18)")
    parts = canonical.decode(data[1:], size_max=SIZE_BYTES_MAX)
    protected, _, payload, _ = canonical.take_list(parts, "COSE_Sign1", 4)
    protected = take_bytes(protected, "the protected header")
    header = take_map(canonical.decode(protected, size_max=32), "the protected header")
    kid = take_bytes(header.get(4), "the kid", 4)
    return _read_claims(take_bytes(payload, "the payload")), kid


def check_kind(credential: Credential, *, training: bool) -> Refused | None:
    """A sample is never served; a training card only in training mode."""
    if credential.kind is CardKind.SAMPLE:
        return Refused(Reason.SAMPLE_CARD)
    if credential.kind is CardKind.TRAINING and not training:
        return Refused(Reason.TRAINING_CARD)
    return None


def check_audience(credential: Credential, audiences: Collection[str]) -> Refused | None:
    """A card is served where its audience is among those the policy names."""
    if credential.audience not in audiences:
        return Refused(Reason.WRONG_AUDIENCE)
    return None


def check_dates(credential: Credential, *, early: int, late: int) -> Refused | None:
    """Refuse only what is certain: `early` and `late` bound the true time, in unix seconds.

    Too early is a card dated after even the latest time it can be; expired one whose end has
    come even at the earliest. A terminal's bad clock alone turns nobody away.
    """
    if late < credential.issued_at:
        return Refused(Reason.NOT_YET_VALID, Facts(day=credential.issued_at))
    if early >= credential.expires_at:
        return Refused(Reason.EXPIRED, Facts(day=credential.expires_at))
    return None


def _write_claims(credential: Credential) -> bytes:
    claims: dict[int | str, Encodable] = {
        _ISS: credential.issuer,
        _AUD: credential.audience,
        _EXP: credential.expires_at,
        _IAT: credential.issued_at,
        _CTI: credential.household + bytes([take_int(credential.issue, "issue", 1, ISSUE_MAX)]),
        _KIND: int(credential.kind),
    }
    if credential.chip_uid is not None:
        claims[_UID] = credential.chip_uid
    if credential.name is not None:
        claims[_CLAIM_169] = {_CLAIM_169_NAME: credential.name}
    if credential.photo is not None:
        claims[_PHOTO] = credential.photo
    return canonical.encode(claims)


def _read_claims(payload: bytes) -> Credential:
    claims = take_map(canonical.decode(payload, size_max=SIZE_BYTES_MAX), "the claims")
    if not claims.keys() >= _REQUIRED:
        raise malformed("a claim is missing")
    if not claims.keys() <= _REQUIRED | _OPTIONAL:
        raise malformed("there is a claim this version does not know")
    cti = take_bytes(claims[_CTI], "cti", HOUSEHOLD_BYTES + 1)
    issued_at = take_int(claims[_IAT], "iat")
    return Credential(
        household=cti[:HOUSEHOLD_BYTES],
        issue=take_int(cti[HOUSEHOLD_BYTES], "the issue number", 1, ISSUE_MAX),
        kind=CardKind(take_int(claims[_KIND], "the kind", min(CardKind), max(CardKind))),
        issuer=_take_form(claims[_ISS], "iss", _ISSUER_FORM),
        audience=_take_form(claims[_AUD], "aud", _AUDIENCE_FORM),
        issued_at=issued_at,
        expires_at=take_int(claims[_EXP], "exp", issued_at + 1),
        name=_read_name(claims[_CLAIM_169]) if _CLAIM_169 in claims else None,
        chip_uid=_read_uid(claims[_UID]) if _UID in claims else None,
        photo=take_bytes(claims[_PHOTO], "the photo hash", PHOTO_HASH_BYTES)
        if _PHOTO in claims
        else None,
    )


def _take_form(value: Value, name: str, form: re.Pattern[str]) -> str:
    text = take_text(value, name, 16)
    if form.fullmatch(text) is None:
        raise malformed(f"{name} does not have its form {form.pattern}")
    return text


def _read_name(value: Value) -> str:
    claim = take_map(value, "claim 169")
    if claim.keys() != {_CLAIM_169_NAME}:
        raise malformed("claim 169 is not exactly a name")
    name = take_text(claim[_CLAIM_169_NAME], "the name", NAME_LENGTH_MAX)
    # Not printable: controls, line ends, and the marks that turn the direction of writing.
    if not name or name != name.strip() or not name.isprintable():
        raise malformed("the name is empty, padded or not printable")
    return name


def _read_uid(value: Value) -> bytes:
    uid = take_bytes(value, "the chip UID")
    if len(uid) not in CHIP_UID_BYTES:
        raise malformed("the chip UID is not 4, 7 or 10 bytes long")
    return uid


def _sealed(credential: Credential, issuer_kid: bytes) -> VerifiedCredential:
    verified = VerifiedCredential(_SEAL)
    object.__setattr__(verified, "_credential", credential)
    object.__setattr__(verified, "_issuer_kid", issuer_kid)
    return verified
