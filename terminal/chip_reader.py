"""Chips on a reader: from the card that lies there to what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from card_codec.chip.apdu import CardLink
from card_codec.chip.errors import ChipLinkError
from card_codec.readers import desk
from card_codec.readers.desk import OpenedCard
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from terminal.after import Voided
from terminal.chip_tap import Tap
from terminal.counter import Counter, Redeemed, Request
from terminal.decision import Verdict
from terminal.errors import CardFaultError
from terminal.redeem import Presentation


@dataclass(frozen=True, slots=True)
class Chip:
    """The chip on a reader, by the reader's name or a part of it."""

    reader: str


class Readers(Protocol):
    """How the card on a reader is opened; the seam for tests and the demo."""

    def open_card(self, name: str | None = None) -> OpenedCard:
        """Open the card on a reader, for us alone."""
        ...

    def state_after_loss(self, card: OpenedCard) -> ReaderState:
        """Why a card stopped answering; closes it."""
        ...

    def watch(self, name: str) -> Callable[[float], ReaderState]:
        """Follows a reader: called with the seconds it may wait for a change, tells its state."""
        ...


class CardSource(Protocol):
    """What is needed of a counter to hear a card."""

    def tap(self, link: CardLink, *, atr: bytes = b"") -> Tap:
        """Hear the chip on a reader."""
        ...


class DeskReaders:
    """The readers of this machine."""

    def open_card(self, name: str | None = None) -> OpenedCard:
        """Open the card on a reader, for us alone."""
        return desk.open_card(name)

    def state_after_loss(self, card: OpenedCard) -> ReaderState:
        """Why a card stopped answering; closes it."""
        return desk.state_after_loss(card)

    def watch(self, name: str) -> Callable[[float], ReaderState]:
        """Follows a reader, whichever driver speaks to it."""
        return desk.watch(name)


DESK = DeskReaders()


def redeem_on_reader(
    counter: Counter, reader: str, request: Request, *, readers: Readers = DESK
) -> Redeemed | Verdict:
    """Let the chip on a reader redeem.

    Raises:
        CardFaultError: no card could be asked; nothing was given and nothing recorded.
    """
    with open_tap(counter, reader, readers) as tap:
        return counter.redeem(Presentation.of_tap(tap), request)


def void_on_reader(
    counter: Counter, reader: str, seq: int, *, reason: str, second: str, readers: Readers = DESK
) -> Voided:
    """Take back a redemption with the chip that took it on a reader.

    Raises:
        CardFaultError: no card could be asked; nothing was taken back.
        WrongRequestError: it may not be taken back here, or another card lies on the reader.
    """
    with open_tap(counter, reader, readers) as tap:
        return counter.void(seq, reason=reason, second=second, tap=tap)


@contextmanager
def open_tap(counter: CardSource, reader: str | None, readers: Readers) -> Iterator[Tap]:
    """The chip on a reader, for as long as the reader is ours.

    Raises:
        CardFaultError: no card could be asked, or it stopped answering before it was written to.
    """
    try:
        card = readers.open_card(reader)
    except ReaderError as error:
        raise CardFaultError(error.state, reader or "") from error
    with closing(card):
        try:
            tap = counter.tap(card, atr=card.atr)
        except ChipLinkError as error:
            raise CardFaultError(readers.state_after_loss(card), card.reader) from error
        yield tap
