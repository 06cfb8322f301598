"""PC/SC readers, through pcscd and pyscard. The only file that imports smartcard.

pyscard's plain calls are used, and not its connection objects: those disconnect whenever the
garbage collector pleases, and a late disconnect resets the card under whoever holds it by then.
Here every handle has one owner, and is given back in ``finally`` before the next card is awaited.

A reader is held alone while a card is open: nobody else can slip a command into a redemption.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, Self

from card_codec.chip.errors import ChipLinkError
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import Driver, ReaderState, ReaderStatus

PATIENCE_S = 1.0  # a card just put down may be powered a moment later
WATCH_SLICE_S = 0.4  # how often new readers are looked for; pcscd itself looks as often for cards
_RETRY_S = 0.02


class PcscCard:
    """A card on a PC/SC reader; a `CardLink`. Use it in ``with``, or call `close`."""

    def __init__(self, scard: Any, context: int, reader: str, *, atr: bytes) -> None:
        self.reader = reader
        self.atr = atr
        self._scard = scard
        self._context = context
        self._handle = 0
        self._protocol = 0
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one APDU; after any fault the card must be opened anew.

        Raises:
            ChipLinkError: no answer came; the command may have been carried out.
        """
        if not self._is_open:
            raise ChipLinkError("the card is not in the reader's field any more")
        pci = self._scard.SCARD_PCI_T0 if self._protocol == 1 else self._scard.SCARD_PCI_T1
        result, answer = self._scard.SCardTransmit(self._handle, pci, list(apdu))
        # Never judge by the code: a torn command has come back with "success" and no bytes.
        if result != self._scard.SCARD_S_SUCCESS or len(answer) < 2:
            self.close()
            raise ChipLinkError(f"the card on {self.reader} gave no answer (PC/SC {_code(result)})")
        return bytes(answer[:-2]), answer[-2] << 8 | answer[-1]

    def close(self) -> None:
        """Give the card and the reader back. Closing twice does nothing."""
        if self._is_open:
            self._is_open = False
            # Left as it is: a reset of a card that was just pulled makes pcscd 1.9.9 take the
            # reader for empty ahead of its own poll, and overlook the next card laid down. Whoever
            # comes next selects the application anew, which ends the session.
            self._scard.SCardDisconnect(self._handle, self._scard.SCARD_LEAVE_CARD)
        if self._context:
            context, self._context = self._context, 0
            self._scard.SCardReleaseContext(context)

    def connect(self) -> int:
        """Take the reader for ourselves; the result code of PC/SC."""
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, self._handle, self._protocol = scard.SCardConnect(
            self._context, self.reader, scard.SCARD_SHARE_EXCLUSIVE, protocols
        )
        self._is_open = result == scard.SCARD_S_SUCCESS
        return int(result)


def list_readers() -> tuple[ReaderStatus, ...]:
    """All PC/SC readers and what they are in; empty without any.

    Raises:
        ReaderError: `no_library` or `no_service`.
    """
    with _context() as (scard, context):
        return _statuses(scard, context, dict.fromkeys(_names(scard, context), 0))[0]


def open_card(
    reader: str,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> PcscCard:
    """Open the card on a reader, for us alone.

    Args:
        reader: its exact name.
        patience_s: how long to go on trying with a card that was only just put down.
        clock: seconds, going forward.
        sleep: waits so many seconds.

    Raises:
        ReaderError: `no_library`, `no_service`, `reader_lost`, `in_use`, `no_card` or `mute`.
    """
    scard = _scard()
    context = _established(scard)
    card = PcscCard(scard, context, reader, atr=_atr(scard, context, reader))
    end = clock() + patience_s
    try:
        while (result := card.connect()) != scard.SCARD_S_SUCCESS:
            state = _state_of_code(scard, result)
            passing = state in {ReaderState.NO_CARD, ReaderState.MUTE}
            if not passing or clock() >= end:
                raise ReaderError(state, reader)
            sleep(_RETRY_S)
        card.atr = card.atr or _atr(scard, context, reader)
    except BaseException:
        card.close()
        raise
    return card


def state_after_loss(reader: str) -> ReaderState:
    """Why a card stopped answering: the reader is gone, the card is gone, or it fell silent."""
    try:
        found = [one.state for one in list_readers() if one.name == reader]
    except ReaderError as exc:
        return exc.state
    if not found:
        return ReaderState.READER_LOST
    return ReaderState.CARD_REMOVED if found[0] is ReaderState.NO_CARD else ReaderState.MUTE


class Watch:
    """Follows all readers: cards that come and go, readers that are lost and found.

    A reader that was there once is told as `reader_lost` until it is back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, int] = {}
        self._last: tuple[ReaderStatus, ...] | None = None

    def wait(self, timeout_s: float) -> tuple[ReaderStatus, ...]:
        """The readers, as soon as they differ from the last answer, or when time is up.

        Raises:
            ReaderError: `no_library` or `no_service`. Ask again later: the service may come back.
        """
        end = self._clock() + timeout_s
        with _context() as (scard, context):
            while True:
                now = self._look(scard, context, max(0.0, end - self._clock()))
                if now != self._last or self._clock() >= end:
                    self._last = now
                    return now

    def _look(self, scard: Any, context: int, left_s: float) -> tuple[ReaderStatus, ...]:
        present = _names(scard, context)
        wait_s = 0.0 if set(present) - self._known.keys() else min(left_s, WATCH_SLICE_S)
        asked = {name: self._known.get(name, 0) for name in present}
        statuses, events = _statuses(scard, context, asked, wait_s)
        self._known |= events
        lost = [name for name in self._known if name not in present]
        for name in lost:
            self._known[name] = 0
        return statuses + tuple(
            ReaderStatus(name, Driver.PCSC, ReaderState.READER_LOST) for name in lost
        )


@contextmanager
def _context() -> Iterator[tuple[Any, int]]:
    scard = _scard()
    context = _established(scard)
    try:
        yield scard, context
    finally:
        scard.SCardReleaseContext(context)


def _established(scard: Any) -> int:
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        raise ReaderError(ReaderState.NO_SERVICE)
    return int(context)


def _names(scard: Any, context: int) -> list[str]:
    result, names = scard.SCardListReaders(context, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    if result != scard.SCARD_S_SUCCESS:
        raise ReaderError(ReaderState.NO_SERVICE)
    return list(names)


def _statuses(
    scard: Any, context: int, asked: dict[str, int], wait_s: float = 0.0
) -> tuple[tuple[ReaderStatus, ...], dict[str, int]]:
    """The readers' states, and what to ask with next time."""
    if not asked:
        time.sleep(wait_s)
        return (), {}
    result, found = scard.SCardGetStatusChange(context, int(wait_s * 1000), list(asked.items()))
    if result in {scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE}:
        gone = (ReaderStatus(name, Driver.PCSC, ReaderState.READER_LOST) for name in asked)
        return tuple(gone), {}
    if result not in {scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT}:
        raise ReaderError(ReaderState.NO_SERVICE)
    statuses, events = [], {}
    for name, event, atr in found:
        state = _state_of_event(scard, event)
        told = bytes(atr) if state is ReaderState.CARD else b""
        statuses.append(ReaderStatus(name, Driver.PCSC, state, told))
        events[name] = event & ~scard.SCARD_STATE_CHANGED
    return tuple(statuses), events


def _atr(scard: Any, context: int, reader: str) -> bytes:
    statuses, _ = _statuses(scard, context, {reader: 0})
    return statuses[0].atr if statuses else b""


def _state_of_event(scard: Any, event: int) -> ReaderState:
    if event & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN):
        return ReaderState.READER_LOST
    if not event & scard.SCARD_STATE_PRESENT:
        return ReaderState.NO_CARD
    if event & scard.SCARD_STATE_MUTE:
        return ReaderState.MUTE
    if event & scard.SCARD_STATE_EXCLUSIVE:
        return ReaderState.IN_USE
    return ReaderState.CARD


def _state_of_code(scard: Any, result: int) -> ReaderState:
    """What a failed connect means. The code decides a sentence only, nothing that matters."""
    if result in {scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD}:
        return ReaderState.NO_CARD
    if result == scard.SCARD_E_SHARING_VIOLATION:
        return ReaderState.IN_USE
    if result in {scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE}:
        return ReaderState.READER_LOST
    if result in {scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED}:
        return ReaderState.NO_SERVICE
    return ReaderState.MUTE


def _code(result: int) -> str:
    return f"{result & 0xFFFFFFFF:08X}"


@cache
def _imported() -> Any:
    try:
        return import_module("smartcard.scard")
    except (ImportError, OSError):
        return None


def _scard() -> Any:
    scard = _imported()
    if scard is None:
        raise ReaderError(ReaderState.NO_LIBRARY, "PC/SC")
    return scard
