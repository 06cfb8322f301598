"""A chip on the reader: what it says, and what of it is proved. Nothing is decided here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from card_codec.chip.apdu import CardLink
from card_codec.chip.errors import ChipError, ChipLinkError
from card_codec.chip.foreign import ForeignCard
from card_codec.chip.khb1 import Khb1
from card_codec.chip.profile import CardProfile, KeyNotHeld, OpenChip, PresentCard, identify
from card_codec.chip.secure import Draw
from card_codec.credential import VerifiedCredential, verify_credential
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from card_codec.trust import TrustList
from ledger.card_keys import OpenedCardKeys

PROFILES: tuple[CardProfile, ...] = (Khb1(),)
"""The families of cards that are known here; one more is one more file."""


@dataclass(frozen=True, slots=True)
class Tap:
    """One chip in the field of a reader.

    Attributes:
        uid: of the chip, 7 bytes; believed only where ``chip`` is there.
        heard: what it says of the family, verified; or why it is refused.
        chip: the card that has shown its key; None where none of its keys is held here.
        keys: of this terminal.
        as_of: newest entry of this journal when the card was asked: of what was begun later it
            cannot have told anything.
    """

    uid: bytes
    heard: VerifiedCredential | Refused
    chip: OpenChip | None = None
    keys: OpenedCardKeys | None = None
    as_of: int = 0


def hear_chip(
    link: CardLink,
    trust: TrustList,
    keys: OpenedCardKeys | None,
    *,
    atr: bytes = b"",
    draw: Draw = secrets.token_bytes,
) -> Tap:
    """Ask the card who it is and, where a key of it is held here, let it prove that.

    A card of somebody else is named and never touched.

    Args:
        link: the card.
        trust: whose signatures count.
        keys: of this terminal; None where they lie sealed because the day is closed.
        atr: what the reader says about the card.
        draw: gives random bytes.

    Raises:
        ChipLinkError: the card stopped answering; nothing was written.
    """
    try:
        card = identify(link, PROFILES, atr=atr)
    except ChipLinkError:
        raise
    except ChipError as error:
        return Tap(b"", Refused(Reason(error.reason)))
    if isinstance(card, ForeignCard):
        return Tap(b"", Refused(Reason.NOT_OUR_CARD, Facts(card=card.name)))
    try:
        return _ask(card, link, trust, keys, draw=draw)
    except ChipLinkError:
        raise
    except ChipError as error:
        return Tap(card.uid, Refused(Reason(error.reason)))


def _ask(
    card: PresentCard,
    link: CardLink,
    trust: TrustList,
    keys: OpenedCardKeys | None,
    *,
    draw: Draw,
) -> Tap:
    content = card.profile.read_credential(link)
    heard = verify_credential(content.credential, trust)
    if isinstance(heard, Refused):
        return Tap(card.uid, heard)
    if keys is None:
        return Tap(card.uid, Refused(Reason.CHIP_CLOSED))
    opened = card.profile.open_for_redemption(
        card, link, content, credential=heard.credential, keys=keys, draw=draw
    )
    chip = None if isinstance(opened, KeyNotHeld) else opened
    return Tap(card.uid, heard, chip, keys)
