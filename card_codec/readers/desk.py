"""All readers of a desk, whichever driver speaks to them."""

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol, Self

from card_codec.chip.apdu import CardLink
from card_codec.readers import local, nfc, pcsc
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import Driver, ReaderState, ReaderStatus, choose

NFC_REST_S = 0.4
LOCAL_REST_S = 0.2


class OpenedCard(CardLink, Protocol):
    """A card on a reader, for us alone until it is closed.

    Attributes:
        reader: name of the reader.
        atr: what the reader says about the card; empty where it says nothing.
    """

    reader: str
    atr: bytes

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Closes it."""

    def close(self) -> None:
        """Give the reader back; always before the next card is awaited."""


def list_readers() -> tuple[tuple[ReaderStatus, ...], MappingProxyType[Driver, ReaderState]]:
    """All readers, and the drivers that cannot be asked, with the reason."""
    statuses: list[ReaderStatus] = []
    missing: dict[Driver, ReaderState] = {}
    for driver, ask in ((Driver.PCSC, pcsc.list_readers), (Driver.NFC, nfc.list_readers)):
        try:
            statuses += ask()
        except ReaderError as exc:
            missing[driver] = exc.state
    return tuple(statuses), MappingProxyType(missing)


def open_card(name: str | None = None) -> OpenedCard:
    """Open the card on a reader.

    Args:
        name: a reader's name, or a part of it that only one has, a path of nfcpy
            (``tty:USB0:pn532``), or a socket of this machine (``unix:PATH``); without it, the one
            reader with a card on it.

    Raises:
        ReaderError: there is no such reader, no card, or more than one.
    """
    if name is not None and name.startswith(local.PATH_START):
        return local.open_card(name)
    if name is not None and name.startswith(nfc.PATH_STARTS):
        return nfc.open_card(name)
    statuses, missing = list_readers()
    chosen = choose(statuses, name)
    if isinstance(chosen, ReaderState):
        if not statuses and Driver.PCSC in missing:
            raise ReaderError(missing[Driver.PCSC], "PC/SC")
        raise ReaderError(chosen, name or "")
    if chosen.driver is Driver.PCSC:
        return pcsc.open_card(chosen.name)
    return nfc.open_card(chosen.name)


def watch(name: str) -> Callable[[float], ReaderState]:
    """Follow one reader.

    Args:
        name: as of `open_card`.

    Returns:
        What tells the reader's state: called with the seconds that it may wait for a change. It
        raises `ReaderError` where no reader can be asked; ask again later.
    """
    if name.startswith(local.PATH_START):
        return lambda timeout_s: _poll_local(name, timeout_s)
    if name.startswith(nfc.PATH_STARTS):
        return lambda timeout_s: _poll_nfc(name, timeout_s)
    following = pcsc.Watch()

    def look(timeout_s: float) -> ReaderState:
        chosen = choose(following.wait(timeout_s), name)
        return chosen if isinstance(chosen, ReaderState) else chosen.state

    return look


def _poll_nfc(name: str, timeout_s: float) -> ReaderState:
    """A reader of nfcpy tells nothing by itself: it is asked, with rests in between."""
    time.sleep(min(timeout_s, NFC_REST_S))
    return nfc.state_of(name)


def _poll_local(name: str, timeout_s: float) -> ReaderState:
    time.sleep(min(timeout_s, LOCAL_REST_S))
    return local.state_of(name)


def state_after_loss(card: OpenedCard) -> ReaderState:
    """Why a card stopped answering; closes it, as it cannot be spoken to any more."""
    card.close()
    if isinstance(card, local.LocalCard):
        return local.state_after_loss(card.reader)
    if isinstance(card, nfc.NfcCard):
        return nfc.state_after_loss(card.reader)
    return pcsc.state_after_loss(card.reader)
