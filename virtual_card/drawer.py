"""``python -m virtual_card.drawer``: the demo's chip cards, held by a process of their own.

    --dir FOLDER --blank N --link local|pcsc

FOLDER keeps the cards from run to run. There are two readers. By ``local`` each is a socket
``readerN.sock`` in FOLDER; a card that was laid on it answers whoever connects, one at a time. By
``pcsc`` they are the two slots of a virtual reader of a real pcscd, which runs for as long as this
process does, in namespaces of its own; its clients find it by the environment that the first line
names. The process ends at once where that cannot be had.

Orders come one a line on stdin, and each is answered by one line of JSON on stdout:

    lay READER UID…    the card with that UID on that reader, taken off every other; of several
                       (local alone) the next one as soon as the one before was personalised and
                       given back
    take READER        the reader is empty
    list               the UIDs of all cards
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from virtual_card.desfire import DesfireCard
from virtual_card.memory import EV3, DataFile, Memory
from virtual_card.pcscd import SLOTS, SOCKET, START_S, Service, inside, is_installed
from virtual_card.vpcd import PORT, OnReader

PCSCD = "pcscd"
SOCKET_PATH_MAX = 100  # bytes; a socket's address holds 107
_LENGTH = struct.Struct(">H")
_GET_ATR = b"\x04"


def main() -> None:
    """Serve until stdin ends, or SIGTERM comes."""
    parser = argparse.ArgumentParser(prog="virtual_card.drawer")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--blank", type=int, default=0)
    parser.add_argument("--link", choices=["local", "pcsc"], default="local")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if asked.link == "local":
        drawer = Drawer(asked.dir, blank=asked.blank)
        _serve(drawer, [SocketReader(asked.dir / f"reader{n}.sock") for n in (1, 2)], {})
    elif asked.inside:
        _serve_inside(asked.dir, blank=asked.blank)
    else:
        _go_inside(asked.dir)


def _go_inside(folder: Path) -> None:
    """Become this same program in namespaces of its own."""
    folder = folder.resolve()
    sockets = folder / PCSCD / "run"
    if not is_installed() or len(bytes(sockets / SOCKET.name)) > SOCKET_PATH_MAX:
        sys.exit("no pcscd with a virtual reader can be had here")
    shutil.rmtree(folder / PCSCD, ignore_errors=True)
    sockets.mkdir(parents=True, mode=0o700)
    (folder / PCSCD).chmod(0o700)
    again = [sys.executable, "-m", "virtual_card.drawer", *sys.argv[1:], "--inside"]
    command = inside(again, socket_folder=sockets)
    os.execvp(command[0], command)  # noqa: S606 - a list, no shell reads it


def _serve_inside(folder: Path, *, blank: int) -> None:
    """Serve on the slots of a pcscd that ends with this process."""
    folder = folder.resolve()
    service = Service(folder / PCSCD)
    try:
        service.start()
        slots = [PcscReader(name, PORT + number) for number, name in enumerate(SLOTS)]
        where = str(folder / PCSCD / "run" / SOCKET.name)
        _serve(Drawer(folder, blank=blank), slots, {"PCSCLITE_CSOCK_NAME": where})
    finally:
        service.stop()
        shutil.rmtree(folder / PCSCD, ignore_errors=True)


def _serve(drawer: Drawer, listed: Sequence[Reader], environment: dict[str, str]) -> None:
    readers = {str(number): reader for number, reader in enumerate(listed, 1)}
    names = [reader.name for reader in listed]
    _say({"ready": True, "readers": names, "environment": environment, **drawer.told()})
    try:
        for line in sys.stdin:
            _say(_order(line.split(), drawer, readers))
    finally:
        for reader in listed:
            reader.close()


def _order(words: list[str], drawer: Drawer, readers: dict[str, Reader]) -> dict[str, object]:
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

    def process(self, apdu: bytes) -> bytes:
        """Answer, once what it changed is kept."""
        answer = super().process(apdu)
        self.keep()
        return answer

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


class Reader(Protocol):
    """A reader on which a card lies, or none."""

    name: str

    def lay(self, *cards: KeptCard) -> None:
        """Lay a card down; what lies there is taken away."""
        ...

    def take(self, uid: str | None = None) -> None:
        """Take the card away; with a UID, only that one."""
        ...

    def close(self) -> None:
        """No reader any more."""
        ...


class PcscReader:
    """A slot of the virtual reader of our own pcscd."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._port = port
        self._lying: OnReader | None = None

    def lay(self, *cards: KeptCard) -> None:
        """Lay a card down; what lies there is taken away."""
        self.take()
        lying = OnReader(cards[0], port=self._port)
        end = time.monotonic() + START_S
        while self._lying is None:
            try:
                lying.put()
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)  # pcscd is up, its virtual reader not yet
            else:
                self._lying = lying

    def take(self, uid: str | None = None) -> None:
        """Take the card away; with a UID, only that one."""
        lying = self._lying
        if lying is not None and uid in {None, lying.card.uid.hex()}:
            self._lying = None
            lying.take()

    def close(self) -> None:
        """No reader any more."""
        self.take()


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
