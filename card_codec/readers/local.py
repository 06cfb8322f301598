"""A card behind a socket of this machine (``unix:PATH``): a double that another process holds.

For the demo, and for tests without root or pcscd. Connecting is laying the card down for as long as
the connection lasts; whoever may open the socket speaks to the card. Every message both ways is two
bytes of length, big-endian, and the body: ``04`` asks for the ATR, anything longer is an APDU. The
other end hangs up where there is no card, and when it is taken away.
"""

import socket
import struct
from typing import Self

from card_codec.chip.errors import ChipLinkError
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState

PATH_START = "unix:"
TIMEOUT_S = 5.0
_GET_ATR = b"\x04"
_LENGTH = struct.Struct(">H")


class LocalCard:
    """A card behind a socket; a `CardLink`. Use it in ``with``, or call `close`."""

    def __init__(self, connection: socket.socket, reader: str) -> None:
        self.reader = reader
        self.atr = b""
        self._connection: socket.socket | None = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one APDU; after any fault the card must be opened anew.

        Raises:
            ChipLinkError: no answer came; the command may have been carried out.
        """
        answer = self.ask(apdu)
        if answer is None or len(answer) < 2:
            self.close()
            raise ChipLinkError(f"the card on {self.reader} gave no answer")
        return answer[:-2], answer[-2] << 8 | answer[-1]

    def ask(self, body: bytes) -> bytes | None:
        """One message there and one back; None where the other end hung up."""
        if self._connection is None:
            return None
        try:
            self._connection.sendall(_LENGTH.pack(len(body)) + body)
            head = self._exactly(_LENGTH.size)
            return None if head is None else self._exactly(_LENGTH.unpack(head)[0])
        except OSError:
            return None

    def close(self) -> None:
        """Take it off the reader. Closing twice does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while self._connection is not None and len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                return None
            data += part
        return data


def open_card(reader: str) -> LocalCard:
    """Open the card behind a socket.

    Args:
        reader: ``unix:`` and the path of the socket.

    Raises:
        ReaderError: `reader_lost`, or `no_card`.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_S)
    card = LocalCard(connection, reader)
    try:
        connection.connect(reader.removeprefix(PATH_START))
    except OSError as exc:
        card.close()
        raise ReaderError(ReaderState.READER_LOST, reader) from exc
    atr = card.ask(_GET_ATR)
    if not atr:
        card.close()
        raise ReaderError(ReaderState.NO_CARD, reader)
    card.atr = atr
    return card


def state_of(reader: str) -> ReaderState:
    """What it is in now."""
    try:
        open_card(reader).close()
    except ReaderError as exc:
        return exc.state
    return ReaderState.CARD


def state_after_loss(reader: str) -> ReaderState:
    """Why a card stopped answering; the card that failed must be closed first."""
    state = state_of(reader)
    after = {ReaderState.NO_CARD: ReaderState.CARD_REMOVED, ReaderState.CARD: ReaderState.MUTE}
    return after.get(state, state)
