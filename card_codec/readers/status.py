"""What a reader can be in, by name: each state is for a screen, none of them a crash."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ReaderState(StrEnum):
    """The state of a reader, or of all of them together. A screen has words for each."""

    NO_SERVICE = "no_service"
    NO_LIBRARY = "no_library"
    NO_READER = "no_reader"
    UNKNOWN_READER = "unknown_reader"
    READER_LOST = "reader_lost"
    IN_USE = "in_use"
    NO_CARD = "no_card"
    CARD = "card"
    MUTE = "mute"
    TWO_CARDS = "two_cards"
    CARD_REMOVED = "card_removed"
    CARD_CHANGED = "card_changed"


# One English sentence each, for stderr and logs: what is wrong, what to do.
SENTENCES = MappingProxyType(
    {
        ReaderState.NO_SERVICE: "the smart card service pcscd does not run; install the Debian"
        " package pcscd and start it",
        ReaderState.NO_LIBRARY: "the library of {reader} is not installed; install pyscard with"
        " libpcsclite1 for PC/SC, nfcpy for PN532 and RC-S380",
        ReaderState.NO_READER: "no card reader is connected; plug one in",
        ReaderState.UNKNOWN_READER: "no single reader is called {reader}; see betang-card readers",
        ReaderState.READER_LOST: "{reader} was unplugged; plug it in again",
        ReaderState.IN_USE: "{reader} is in use by another program; close that program",
        ReaderState.NO_CARD: "there is no card on {reader}; put one on it",
        ReaderState.CARD: "a card lies on {reader}",
        ReaderState.MUTE: "the card on {reader} does not answer; put one card alone, flat on it",
        ReaderState.TWO_CARDS: "two cards at once; leave one",
        ReaderState.CARD_REMOVED: "the card was taken away too early; put it on {reader} again",
        ReaderState.CARD_CHANGED: "another card lies on {reader} than before; begin again with it",
    }
)


class Driver(StrEnum):
    """Who speaks to a reader."""

    PCSC = "pcsc"
    NFC = "nfc"


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One reader now.

    Attributes:
        name: as its driver names it; stable while it is plugged in.
        driver: who speaks to it.
        state: what it is in.
        atr: what it says about a card that lies on it, else empty.
    """

    name: str
    driver: Driver
    state: ReaderState
    atr: bytes = b""


def choose(statuses: Sequence[ReaderStatus], name: str | None = None) -> ReaderStatus | ReaderState:
    """The reader to open, or why there is none.

    Args:
        statuses: all readers.
        name: a reader's name, or a part of it that only one has; without it, the one reader with
            a card on it.
    """
    if name is not None:
        exact = [one for one in statuses if one.name == name]
        alike = exact or [one for one in statuses if name.lower() in one.name.lower()]
        return alike[0] if len(alike) == 1 else ReaderState.UNKNOWN_READER
    with_card = [one for one in statuses if one.state is ReaderState.CARD]
    if len(with_card) == 1:
        return with_card[0]
    if with_card:
        return ReaderState.TWO_CARDS
    # Without a card anywhere, the most telling state: a mute card before an empty reader.
    for state in (ReaderState.MUTE, ReaderState.IN_USE, ReaderState.NO_CARD):
        if any(one.state is state for one in statuses):
            return state
    return statuses[0].state if statuses else ReaderState.NO_READER
