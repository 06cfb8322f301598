"""Other cards: named, and never touched."""

import pytest

from card_codec.chip.errors import ChipFormatError, ChipLinkError
from card_codec.chip.foreign import ForeignCard, ForeignKind
from card_codec.chip.khb1 import Khb1
from card_codec.chip.profile import identify
from tests.chip_world import UID, Station, link_to
from virtual_card.factory import blank
from virtual_card.memory import EV2, LIGHT

# What may be sent to a card that is not ours: selecting, and asking for the version.
HARMLESS = {(0x00, 0xA4), (0x90, 0x5A), (0x90, 0x60), (0x90, 0xAF)}


class SomeCard:
    """Answers to one application; keeps what it was asked."""

    def __init__(self, knows: bytes = b"", refuses: int = 0x6A82) -> None:
        self.asked: list[bytes] = []
        self._knows = knows
        self._refuses = refuses

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        self.asked.append(apdu)
        if self._knows and self._knows in apdu:
            return b"", 0x9100 if apdu[0] == 0x90 else 0x9000
        return b"", self._refuses


@pytest.mark.parametrize(
    ("knows", "kind"),
    [
        (bytes.fromhex("7f0a"), ForeignKind.KTP_EL),
        (b"2PAY.SYS.DDF01", ForeignKind.BANK_CARD),
        (bytes.fromhex("080000000000000001"), ForeignKind.E_MONEY),
        (bytes.fromhex("a000424e49100001"), ForeignKind.E_MONEY),
        (bytes.fromhex("a0000005714e4a43"), ForeignKind.E_MONEY),
        (bytes.fromhex("905a000003010000"), ForeignKind.E_MONEY),
    ],
)
def test_card_of_somebody_else_is_named(knows: bytes, kind: ForeignKind) -> None:
    card = SomeCard(knows)
    found = identify(card, [Khb1()])
    assert isinstance(found, ForeignCard)
    assert found.kind is kind
    assert found.name


@pytest.mark.parametrize("refuses", [0x6A82, 0x6D00, 0x6E00, 0x6700, 0x911C])
def test_unknown_card_is_only_asked_what_it_is(refuses: int) -> None:
    card = SomeCard(refuses=refuses)
    assert identify(card, [Khb1()]) == ForeignCard(ForeignKind.UNKNOWN, "kartu lain")
    assert {tuple(apdu[:2]) for apdu in card.asked} <= HARMLESS


def test_memory_card_is_named_by_its_atr_without_asking_it() -> None:
    card = SomeCard()
    atr = bytes.fromhex("3b8f8001804f0ca000000306030001000000006a")
    found = identify(card, [Khb1()], atr=atr)
    assert isinstance(found, ForeignCard)
    assert found.kind is ForeignKind.MEMORY_CARD
    assert card.asked == []


@pytest.mark.parametrize("make", [EV2, LIGHT])
def test_blank_desfire_is_named(make: int) -> None:
    card = blank(UID, make=make)
    before = card.memory.copy()
    found = identify(link_to(card), [Khb1()])
    assert isinstance(found, ForeignCard)
    assert found.kind is ForeignKind.OTHER_DESFIRE
    assert card.memory == before


def test_silicon_that_khb1_does_not_lie_on_is_refused() -> None:
    with pytest.raises(ChipFormatError, match="make"):
        identify(link_to(Station().card(make=0x01)), [Khb1()])


def test_card_that_leaves_while_it_is_named_is_a_link_error() -> None:
    link = link_to(blank(UID))
    link.pull()
    with pytest.raises(ChipLinkError):
        identify(link, [Khb1()])
