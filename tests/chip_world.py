"""A card station and its cards, for the tests of the chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from card_codec.chip.apdu import CardLink
from card_codec.chip.diversify import NO_KECAMATAN, KeyName, KeySource, MasterKeys, card_key
from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1 import Khb1, Khb1Open
from card_codec.chip.khb1_files import (
    AWAY_KEY,
    HOME_KEYS,
    MAC_KEY,
    ChipContent,
    encode_content,
)
from card_codec.chip.profile import KeyNotHeld, PresentCard, identify
from card_codec.chip.record import CardRecord, RecordKind, encode_record
from card_codec.credential import VerifiedCredential, issue_credential, verify_credential
from tests.unit.card_codec.samples import CARD, ISSUER, TRUST
from virtual_card.desfire import DesfireCard
from virtual_card.factory import Making, khb1
from virtual_card.link import Fault, InProcessLink
from virtual_card.memory import EV3, LIGHT

UID = bytes.fromhex("04a1b2c3d4e580")
KECAMATAN = "629901"
HOME = {(KECAMATAN, number): bytes([0x10 + number] * 16) for number in range(1, 6)}
AWAY = {(NO_KECAMATAN, 1): bytes([0x77] * 16)}
ISSUER_MASTER = bytes([0x99] * 16)
TMAC_MASTER = bytes([0x55] * 16)
READER_ID = b"T001.1".ljust(16, b"\x00")

MARK = CardRecord(RecordKind.PERSONALISED, 0, 0, 1, 0, 0, 0, 0, 20_500)
TAKEN = CardRecord(RecordKind.REDEMPTION, 1, 1, 17, 1, 2, 0, 10, 20_570)


@dataclass(frozen=True)
class Station:
    """Makes cards with the masters above.

    Attributes:
        generation: of the first home key.
    """

    generation: int = 1

    def content(self, uid: bytes = UID, *, make: int = EV3) -> ChipContent:
        """What the credential file of a card says."""
        slots = (1,) if make == LIGHT else (*HOME_KEYS, AWAY_KEY)
        credential = issue_credential(replace(CARD, chip_uid=uid), ISSUER)
        return ChipContent(KECAMATAN, self.generation, 1, slots, credential)

    def card(
        self,
        uid: bytes = UID,
        *,
        make: int = EV3,
        opening: Sequence[CardRecord] = (MARK,),
        random: Callable[[int], bytes] | None = None,
    ) -> DesfireCard:
        """A card of this station."""
        making = Making(
            keys=[
                card_key(ISSUER_MASTER, KeyName(uid, 0, NO_KECAMATAN, 1)),
                *(
                    card_key(
                        HOME[KECAMATAN, self.generation + number - 1],
                        KeyName(uid, number, KECAMATAN, self.generation + number - 1),
                    )
                    for number in HOME_KEYS
                ),
                card_key(AWAY[NO_KECAMATAN, 1], KeyName(uid, AWAY_KEY, NO_KECAMATAN, 1)),
            ],
            mac_key=tmac_key(uid),
            credential_file=encode_content(self.content(uid, make=make)),
            opening=[encode_record(record) for record in opening],
        )
        return khb1(uid, making, make=make, random=random)


def tmac_key(uid: bytes = UID) -> bytes:
    """The Transaction MAC key of a chip, the issuer's alone."""
    return card_key(TMAC_MASTER, KeyName(uid, MAC_KEY, NO_KECAMATAN, 1))


def keys(*generations: int) -> MasterKeys:
    """What a terminal of the kecamatan holds."""
    return MasterKeys({(KECAMATAN, number): HOME[KECAMATAN, number] for number in generations})


def link_to(card: DesfireCard, faults: Mapping[int, Fault] | None = None) -> InProcessLink:
    """The card in a field anew."""
    card.power_off()
    return InProcessLink(card, error=ChipLinkError, faults=faults)


def counting(seed: int = 0) -> Callable[[int], bytes]:
    """Random bytes that are the same in every run."""
    state = [seed]

    def random(size: int) -> bytes:
        state[0] += 1
        return bytes((state[0] * 37 + place * 11) & 0xFF for place in range(size))

    return random


def opened(
    link: CardLink,
    held: KeySource | None = None,
    draw: Callable[[int], bytes] | None = None,
) -> Khb1Open:
    """From the tap to an open card."""
    chip = tried(link, held or keys(1), draw)
    assert isinstance(chip, Khb1Open)
    return chip


def tried(
    link: CardLink, held: KeySource, draw: Callable[[int], bytes] | None = None
) -> Khb1Open | KeyNotHeld:
    """From the tap to an open card, or to the key that is not held."""
    profile = Khb1()
    found = identify(link, [profile])
    assert isinstance(found, PresentCard)
    content = profile.read_credential(link)
    verified = verify_credential(content.credential, TRUST)
    assert isinstance(verified, VerifiedCredential)
    return profile.open_for_redemption(
        found,
        link,
        content,
        credential=verified.credential,
        keys=held,
        draw=draw or counting(),
    )
