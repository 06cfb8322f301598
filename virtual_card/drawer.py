"""``python -m virtual_card.drawer``: the demo's chip cards, held by a process of their own.

    --dir FOLDER --readers N --blank N

FOLDER keeps the cards from run to run. Each reader is a socket ``readerN.sock`` there; a card that
was laid on it answers whoever connects, one at a time. Orders come one a line on stdin, and each is
answered by one line of JSON on stdout:

    lay READER UID…    the card with that UID on that reader, taken off every other; of several the
                       next one as soon as the one before was personalised and given back
    take READER        the reader is empty
    list               the UIDs of all cards
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import socket
import struct
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from virtual_card.desfire import DesfireCard
from virtual_card.memory import EV3, DataFile, Memory

_LENGTH = struct.Struct(">H")
_GET_ATR = b"\x04"


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="virtual_card.drawer")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--blank", type=int, default=0)
    asked = parser.parse_args()
    drawer = Drawer(asked.dir, blank=asked.blank)
    readers = {
        str(n): SocketReader(asked.dir / f"reader{n}.sock") for n in range(1, asked.readers + 1)
    }
    _say({"ready": True, "readers": [reader.name for reader in readers.values()], **drawer.told()})
    for line in sys.stdin:
        _say(_order(line.split(), drawer, readers))
    for reader in readers.values():
        reader.close()


def _order(words: list[str], drawer: Drawer, readers: dict[str, SocketReader]) -> dict[str, object]:
    match words:
        case ["lay", reader, *uids] if (
            reader in readers and uids and set(uids) <= set(drawer.cards)
        ):
            for one in readers.values():
                for uid in uids:
                    one.take(uid)
            readers[reader].lay(*(drawer.cards[uid] for uid in uids))
        case ["take", reader] if reader in readers:
            readers[reader].take()
        case ["list"]:
            pass
        case _:
            return {"error": f"no such order: {' '.join(words)}"}
    return drawer.told()


def _say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


class KeptCard(DesfireCard):
    """A double whose memory outlasts the process, as a chip's outlasts the field."""

    def __init__(self, memory: Memory, path: Path) -> None:
        super().__init__(memory)
        self._path = path
        self._kept = b""

    @property
    def is_made(self) -> bool:
        """Whether its credential file was written to its head, which a card station does last."""
        files = [one.files.get(0) for one in self.memory.applications.values()]
        return any(isinstance(file, DataFile) and bool(file.data[0]) for file in files)

    def keep(self) -> None:
        """Write the memory down, whole or not at all."""
        data = pickle.dumps(self.memory)
        if data == self._kept:
            return
        handle, name = tempfile.mkstemp(dir=self._path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, self._path)
        self._kept = data


class Drawer:
    """All cards, by their UID.

    Args:
        folder: where they are kept.
        blank: how many there are to be; those that are missing are made, as delivered.
    """

    def __init__(self, folder: Path, *, blank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(blank):
            uid = b"\x04" + hashlib.sha256(b"drawer %d" % number).digest()[:6]
            path = folder / f"{uid.hex()}.card"
            if not path.exists():
                KeptCard(Memory(uid, EV3), path).keep()
        self.cards = {
            path.stem: KeptCard(pickle.loads(path.read_bytes()), path)  # noqa: S301 - our own
            for path in sorted(folder.glob("*.card"))
        }

    def holds(self, uids: list[str]) -> bool:
        """Whether all of these cards are here."""
        return set(uids) <= set(self.cards)

    def told(self) -> dict[str, object]:
        """Which cards there are."""
        return {"cards": list(self.cards)}


class SocketReader:
    """A reader that is a socket; see card_codec.readers.local for what goes over it."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self.name = f"unix:{path}"
        self._card: KeptCard | None = None
        self._next: list[KeptCard] = []
        self._connection: socket.socket | None = None
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        path.chmod(0o600)
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def lay(self, *cards: KeptCard) -> None:
        """Lay a card down; what lies there is taken away. The others follow."""
        self.take()
        cards[0].power_off()
        self._card, self._next = cards[0], list(cards[1:])

    def take(self, uid: str | None = None) -> None:
        """Take the card away; with a UID, only that one."""
        card = self._card
        if card is None or uid not in {None, card.uid.hex()}:
            return
        self._card, self._next = None, []
        connection = self._connection
        if connection is not None:
            with suppress(OSError):  # it was gone already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """No reader any more."""
        self.take()
        self._path.unlink(missing_ok=True)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._connection, _ = self._listening.accept()
                with self._connection as connection, suppress(OSError):
                    self._talk(connection)
                self._connection = None

    def _talk(self, connection: socket.socket) -> None:
        card = self._card
        if card is None:
            return
        card.power_off()
        while (body := _received(connection)) is not None and self._card is card:
            answer = card.atr if body == _GET_ATR else card.process(body)
            if body != _GET_ATR:
                card.keep()
            connection.sendall(_LENGTH.pack(len(answer)) + answer)
        card.power_off()
        if self._next and self._card is card and card.is_made:
            self._card = self._next.pop(0)


def _received(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, _LENGTH.size)
    return None if head is None else _exactly(connection, _LENGTH.unpack(head)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


if __name__ == "__main__":
    main()
