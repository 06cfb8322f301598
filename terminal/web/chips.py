"""The reader beside the page: what it is in, and the card that lies on it.

A thread follows the reader and says what it is in; the page waits for that to change. Whatever
happens to readers and cards is a named state in words, and never ends the service.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from terminal.chip_reader import DESK, CardSource, Readers, open_tap
from terminal.chip_tap import Tap
from terminal.errors import CardFaultError

LOOK_SECONDS = 1.0
"""How long one look at the readers may take; a change ends it at once."""
REST_SECONDS = 1.0
WAIT_SECONDS_MAX = 10.0
"""How long the page is kept waiting for a change."""


@dataclass(frozen=True, slots=True)
class ReaderView:
    """What the page is told of the reader.

    Attributes:
        number: rises with every change, so that a page can wait for the next.
        state: what it is in.
        taps: rises with every card that is laid down.
    """

    number: int
    state: ReaderState
    taps: int


class ChipDesk:
    """One counter's reader.

    Args:
        counter: hears the cards.
        name: of the reader, a part of it, or a path of nfcpy.
        readers: how cards are opened, and readers followed.
    """

    def __init__(self, counter: CardSource, name: str, *, readers: Readers = DESK) -> None:
        self.name = name
        self._counter = counter
        self._readers = readers
        self._changed = threading.Condition()
        self._view = ReaderView(1, ReaderState.NO_CARD, 0)
        self._reader = threading.Lock()
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow the reader for as long as the page is served."""
        thread = threading.Thread(target=self._follow, name="reader", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()
            thread.join(LOOK_SECONDS + REST_SECONDS)

    def view(self, seen: int = 0, *, wait_seconds: float = 0.0) -> ReaderView:
        """What the reader is in, as soon as that is no longer the one of this number."""
        end = min(wait_seconds, WAIT_SECONDS_MAX)
        with self._changed:
            self._changed.wait_for(
                lambda: self._view.number != seen or self._stop.is_set(), timeout=end
            )
            return self._view

    @contextmanager
    def tap(self, *, uid: bytes | None = None) -> Iterator[Tap]:
        """The card that lies there now, ours alone while this lasts.

        Args:
            uid: of the chip that must lie there; None for any.

        Raises:
            CardFaultError: no card can be asked, or it is another.
        """
        with self._reader, open_tap(self._counter, self.name, self._readers) as tap:
            if uid is not None and tap.uid != uid:
                raise CardFaultError(ReaderState.CARD_CHANGED, self.name)
            yield tap

    def _follow(self) -> None:
        watch = self._readers.watch(self.name)
        while not self._stop.is_set():
            try:
                state = self._look(watch)
            except ReaderError as error:
                state = error.state
                self._stop.wait(REST_SECONDS)
            self._tell(state)

    def _look(self, watch: Callable[[float], ReaderState]) -> ReaderState:
        state = watch(LOOK_SECONDS)
        # While a card is being served the reader is ours: nobody else has it in use.
        if state is ReaderState.IN_USE and self._reader.locked():
            return ReaderState.CARD
        return state

    def _tell(self, state: ReaderState) -> None:
        with self._changed:
            before = self._view
            if state is before.state:
                return
            # After we, or somebody else, had the reader to ourselves, the card is the same.
            laid = state is ReaderState.CARD and before.state is not ReaderState.IN_USE
            self._view = ReaderView(before.number + 1, state, before.taps + laid)
            self._changed.notify_all()
