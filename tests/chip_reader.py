"""A reader that a test plays: what lies on it, and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from card_codec.chip.errors import ChipLinkError
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from virtual_card.desfire import DesfireCard
from virtual_card.link import Fault, InProcessLink


class CardOnReader(InProcessLink):
    """A card as a reader opens it."""

    reader = "Pembaca Uji"
    atr = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the reader back."""


@dataclass
class PlayedReaders:
    """One reader whose state a test sets."""

    state: ReaderState = ReaderState.NO_CARD
    card: DesfireCard | None = None
    faults: dict[int, Fault] = field(default_factory=dict)
    after_loss: ReaderState = ReaderState.CARD_REMOVED

    def lay(self, card: DesfireCard, faults: dict[int, Fault] | None = None) -> None:
        self.card, self.state, self.faults = card, ReaderState.CARD, faults or {}

    def lift(self) -> None:
        self.card, self.state = None, ReaderState.NO_CARD

    def open_card(self, name: str | None = None) -> CardOnReader:
        if self.card is None or self.state is not ReaderState.CARD:
            raise ReaderError(self.state, name or "")
        self.card.power_off()
        return CardOnReader(self.card, error=ChipLinkError, faults=self.faults)

    def state_after_loss(self, card: object) -> ReaderState:
        self.lift()
        return self.after_loss

    def watch(self, name: str) -> Callable[[float], ReaderState]:
        def look(timeout_s: float) -> ReaderState:
            time.sleep(0.005)
            if self.state is ReaderState.NO_SERVICE:
                raise ReaderError(ReaderState.NO_SERVICE)
            return self.state

        return look
