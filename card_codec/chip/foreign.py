"""Cards that are not ours: told apart by name, never touched.

Only applications are selected, as any shop terminal does, and versions asked for. Nothing is read,
written, or authenticated. What a card is called here is for the officer's sentence; being wrong
about it harms nobody. Sources: docs/spec/chip-profile.md §9.
"""

from dataclasses import dataclass
from enum import StrEnum

from card_codec.chip.apdu import SW, CardLink, NativeChannel, wrap
from card_codec.chip.errors import ChipIntegrityError

_GET_VERSION = 0x60
_STORAGE_CARD = bytes.fromhex("a000000306")  # RID of the PC/SC Workgroup in an ATR (PC/SC part 3)
_ISO_SUCCESS = 0x90
_ISO_SUCCESS_WITH_DATA = 0x61


class ForeignKind(StrEnum):
    """What another card is, as far as its name matters at a counter."""

    KTP_EL = "ktp_el"
    BANK_CARD = "bank_card"
    E_MONEY = "e_money"
    OTHER_DESFIRE = "other_desfire"
    MEMORY_CARD = "memory_card"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ForeignCard:
    """A card of somebody else.

    Attributes:
        kind: what it is.
        name: what people call it.
    """

    kind: ForeignKind
    name: str


def _by_name(name: str) -> bytes:
    aid = bytes.fromhex(name)
    return bytes([0x00, 0xA4, 0x04, 0x00, len(aid)]) + aid + b"\x00"


# In the order of how often they are seen at a counter.
_PROBES = (
    (bytes.fromhex("00a40000027f0a"), ForeignCard(ForeignKind.KTP_EL, "KTP-el")),
    (_by_name("325041592e5359532e4444463031"), ForeignCard(ForeignKind.BANK_CARD, "kartu bank")),
    (_by_name("0000000000000001"), ForeignCard(ForeignKind.E_MONEY, "Mandiri e-money")),
    (_by_name("a000424e49100001"), ForeignCard(ForeignKind.E_MONEY, "BNI TapCash")),
    (_by_name("a0000005714e4a43"), ForeignCard(ForeignKind.E_MONEY, "JakCard")),
    (wrap(0x5A, bytes.fromhex("010000")), ForeignCard(ForeignKind.E_MONEY, "BRI Brizzi")),
)


def name_by_atr(atr: bytes) -> ForeignCard | None:
    """A card that its reader knows for a plain memory; it takes no APDU at all."""
    if _STORAGE_CARD in atr:
        return ForeignCard(ForeignKind.MEMORY_CARD, "kartu memori (MIFARE Classic atau NTAG)")
    return None


def name_foreign(link: CardLink) -> ForeignCard:
    """What a card that no profile knows is called.

    Raises:
        ChipLinkError: the card stopped answering.
    """
    for apdu, card in _PROBES:
        _, sw = link.transmit(apdu)
        if sw >> 8 in {_ISO_SUCCESS, _ISO_SUCCESS_WITH_DATA} or sw == SW.OK:
            return card
    if _is_desfire(link):
        return ForeignCard(ForeignKind.OTHER_DESFIRE, "kartu DESFire tanpa aplikasi KHB-1")
    return ForeignCard(ForeignKind.UNKNOWN, "kartu lain")


def _is_desfire(link: CardLink) -> bool:
    try:
        _, sw = NativeChannel(link).whole(_GET_VERSION, b"")
    except ChipIntegrityError:
        return False
    return sw == SW.OK
