"""A double laid on the virtual reader of vsmartcard-vpcd, so that the real pcscd serves it.

vpcd listens; connecting is laying the card down, closing the socket is taking it away. Every
message both ways is two bytes of length, big-endian, and the body: one byte is power off (00), on
(01), reset (02) or "give the ATR" (04); anything longer is an APDU.

Never let vpcd listen on a real network: it asks nobody who they are.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from virtual_card.desfire import DesfireCard
from virtual_card.link import Fault

PORT = 0x8C7B  # of the first slot; the second is one above
_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0x00, 0x01, 0x02, 0x04
_LENGTH = struct.Struct(">H")


class OnReader:
    """A double on a slot of vpcd, served by a thread of its own until it is taken away.

    Args:
        card: the double.
        port: the slot's.
        faults: number of the APDU since it was laid down, from 0, to what goes wrong at it.
    """

    def __init__(
        self, card: DesfireCard, *, port: int = PORT, faults: Mapping[int, Fault] | None = None
    ) -> None:
        self.card = card
        self.apdus = 0
        self._port = port
        self._faults = dict(faults or {})
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.put()
        return self

    def __exit__(self, *_: object) -> None:
        self.take()

    def put(self) -> None:
        """Lay it down."""
        self.apdus = 0
        self.card.power_off()
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), daemon=True)
        self._thread.start()

    def take(self) -> None:
        """Take it away."""
        connection, self._socket = self._socket, None
        if connection is not None:
            _hang_up(connection)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)
        self.card.power_off()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # taken away in the middle of it
            while (body := _received(connection)) is not None:
                answer = self._answered(body)
                if answer is None:
                    break
                if answer:
                    connection.sendall(_LENGTH.pack(len(answer)) + answer)
        _hang_up(connection)
        self.card.power_off()

    def _answered(self, body: bytes) -> bytes | None:
        """What goes back; nothing for power, None to be gone."""
        if len(body) == 1:
            if body[0] in {_POWER_OFF, _RESET}:
                self.card.power_off()
            return self.card.atr if body[0] == _GET_ATR else b""
        number, self.apdus = self.apdus, self.apdus + 1
        fault = self._faults.get(number)
        if fault is Fault.TORN_BEFORE:
            return None
        if fault is Fault.TORN_INSIDE:
            self.card.tear(body)
            return None
        answer = self.card.process(body)
        return None if fault is not None else answer


def _received(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, _LENGTH.size)
    return None if head is None else _exactly(connection, _LENGTH.unpack(head)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        # vpcd sends length and body apart: without this, each APDU waits for a delayed
        # acknowledgement of 40 ms. The option does not stick and is set before every receive.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it was gone already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
