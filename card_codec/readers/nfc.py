"""PN532 and RC-S380 readers, through nfcpy.

Only one stack may own such a reader: where the kernel's pn533 module holds it, neither nfcpy nor
pcscd can (docs/operating/card-acceptance.md §2). ACS readers belong to PC/SC.

nfcpy repeats a block that was lost on the air; the block numbers of ISO/IEC 14443-4 keep the card
from carrying it out twice. What is lost beyond that is a `ChipLinkError`, and never sent again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, Self

from card_codec.chip.errors import ChipLinkError
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import Driver, ReaderState, ReaderStatus

# USB vendor and product of the readers nfcpy drives well: RC-S380, RC-S330, PN531, PN533. A PN532
# is on a serial line and is opened by its path alone, such as tty:USB0:pn532.
_USB = frozenset(
    (
        *((0x054C, 0x06C1), (0x054C, 0x06C3), (0x054C, 0x02E1), (0x054C, 0x0193)),
        *((0x04CC, 0x0531), (0x04CC, 0x2533), (0x04E6, 0x5591), (0x04E6, 0x5593)),
    )
)
PATH_STARTS = ("usb:", "tty:", "udp:")

OpenFrontend = Callable[[str], Any]
_GET_UID = bytes.fromhex("ffca")


class NfcCard:
    """A card on an nfcpy reader; a `CardLink`. Use it in ``with``, or call `close`."""

    def __init__(self, frontend: Any, tag: Any, reader: str) -> None:
        self.reader = reader
        self.atr = b""
        self.uid = bytes(tag.identifier)
        self._frontend = frontend
        self._tag = tag

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one APDU; after any fault the card must be opened anew.

        Raises:
            ChipLinkError: no answer came; the command may have been carried out.
        """
        if self._tag is None:
            raise ChipLinkError("the card is not in the reader's field any more")
        if apdu[:2] == _GET_UID:  # PC/SC readers answer this themselves; so does this one
            return self.uid, 0x9000
        try:
            answer = self._tag.transceive(bytes(apdu))
        except _faults() as exc:
            self._tag = None
            raise ChipLinkError(f"the card on {self.reader} gave no answer") from exc
        if answer is None or len(answer) < 2:
            self._tag = None
            raise ChipLinkError(f"the card on {self.reader} gave an answer without a status")
        return bytes(answer[:-2]), answer[-2] << 8 | answer[-1]

    def close(self) -> None:
        """Field off, reader given back. Closing twice does nothing."""
        self._tag = None
        frontend, self._frontend = self._frontend, None
        if frontend is not None:
            frontend.close()


def list_readers(open_frontend: OpenFrontend | None = None) -> tuple[ReaderStatus, ...]:
    """The readers that nfcpy can drive, and what they are in; empty without any.

    Args:
        open_frontend: opens a reader by its path; nfcpy's own if not given.

    Raises:
        ReaderError: `no_library`.
    """
    return tuple(ReaderStatus(name, Driver.NFC, _state(name, open_frontend)) for name in _names())


def open_card(reader: str, open_frontend: OpenFrontend | None = None) -> NfcCard:
    """Open the card on a reader.

    Args:
        reader: its name, ``usb:BUS:DEVICE``, or another path that nfcpy knows.
        open_frontend: opens a reader by its path; nfcpy's own if not given.

    Raises:
        ReaderError: `no_library`, `reader_lost`, `in_use`, `no_card` or `mute`.
    """
    frontend = _opened(reader, open_frontend)
    try:
        return NfcCard(frontend, _activated(frontend, reader), reader)
    except BaseException:
        frontend.close()
        raise


def state_of(reader: str, open_frontend: OpenFrontend | None = None) -> ReaderState:
    """What one reader is in now; one that somebody holds is `in_use`."""
    return _state(reader, open_frontend)


def state_after_loss(reader: str, open_frontend: OpenFrontend | None = None) -> ReaderState:
    """Why a card stopped answering; the card that failed must be closed first."""
    state = _state(reader, open_frontend)
    after = {ReaderState.NO_CARD: ReaderState.CARD_REMOVED, ReaderState.CARD: ReaderState.MUTE}
    return after.get(state, state)


def _state(reader: str, open_frontend: OpenFrontend | None) -> ReaderState:
    with _frontend(reader, open_frontend) as frontend:
        if isinstance(frontend, ReaderState):
            return frontend
        try:
            _activated(frontend, reader)
        except ReaderError as exc:
            return exc.state
        return ReaderState.CARD


@contextmanager
def _frontend(reader: str, open_frontend: OpenFrontend | None) -> Iterator[Any]:
    try:
        frontend = _opened(reader, open_frontend)
    except ReaderError as exc:
        yield exc.state
        return
    try:
        yield frontend
    finally:
        frontend.close()


def _opened(reader: str, open_frontend: OpenFrontend | None) -> Any:
    opens = open_frontend or _nfc("nfc").ContactlessFrontend
    try:
        return opens(reader)
    except OSError as exc:
        state = ReaderState.READER_LOST if exc.errno in _GONE else ReaderState.IN_USE
        raise ReaderError(state, reader) from exc


def _activated(frontend: Any, reader: str) -> Any:
    """The card in the field, as a tag that takes APDUs."""
    clf = _nfc("nfc.clf")
    try:
        target = frontend.sense(clf.RemoteTarget("106A"), iterations=1)
        if target is None:
            raise ReaderError(ReaderState.NO_CARD, reader)
        tag = _nfc("nfc.tag").activate(frontend, target)
    except _faults() as exc:
        gone = isinstance(exc, OSError)
        raise ReaderError(ReaderState.READER_LOST if gone else ReaderState.MUTE, reader) from exc
    if tag is None or not hasattr(tag, "transceive") or tag.type != "Type4Tag":
        raise ReaderError(ReaderState.MUTE, reader)
    return tag


def _names() -> list[str]:
    transport = _nfc("nfc.clf.transport")
    found = transport.USB.find("usb") or []
    return [f"usb:{bus:03}:{device:03}" for *ids, bus, device in found if tuple(ids) in _USB]


_GONE = (2, 6, 19)  # ENOENT, ENXIO, ENODEV


def _faults() -> tuple[type[Exception], ...]:
    """What nfcpy raises when a card does not answer (its own) or the reader is gone (OSError)."""
    return (_nfc("nfc.clf").CommunicationError, _nfc("nfc.tag").TagCommandError, OSError)


@cache
def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, OSError):
        return None


def _nfc(name: str) -> Any:
    module = _imported(name)
    if module is None:
        raise ReaderError(ReaderState.NO_LIBRARY, "nfcpy")
    return module
