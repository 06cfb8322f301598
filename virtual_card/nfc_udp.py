"""A double as a whole card of type 4A on nfcpy's udp driver, in a thread.

The driver binds to every address, whatever host its path names: use it in a network namespace of
its own. UIDs of 10 bytes cannot be told over it.
"""

from __future__ import annotations

import threading
from typing import Self

import nfc.clf

from virtual_card.desfire import DesfireCard
from virtual_card.iso_dep import IsoDepCard

PATH = "udp:127.0.0.1:54321"
_LISTEN_S = 0.5
_NEXT_BLOCK_S = 2.0


class OnUdp:
    """A card in the field of whoever senses on the same path."""

    def __init__(self, card: DesfireCard, path: str = PATH) -> None:
        self._field = IsoDepCard(card)
        self._path = path
        self._is_there = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._is_there.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.take()

    def take(self) -> None:
        """Take it away."""
        self._is_there.clear()
        self._thread.join(5)

    def _serve(self) -> None:
        clf = nfc.ContactlessFrontend(self._path)
        try:
            while self._is_there.is_set():
                target = nfc.clf.LocalTarget(
                    "106A",
                    sens_res=bytearray.fromhex("4403"),
                    sdd_res=bytearray(self._field.card.uid),
                    sel_res=bytearray.fromhex("20"),
                )
                found = clf.listen(target, _LISTEN_S)
                if found is not None and found.tt4_cmd:
                    self._talk(clf, bytes(found.tt4_cmd))
        finally:
            clf.close()

    def _talk(self, clf: nfc.clf.ContactlessFrontend, block: bytes) -> None:
        """Answer blocks until the reader falls silent."""
        self._field.field_off()
        try:
            while self._is_there.is_set() and (answer := self._field.answer(block)) is not None:
                block = bytes(clf.exchange(bytearray(answer), timeout=_NEXT_BLOCK_S))
        except nfc.clf.CommunicationError:
            pass  # the reader has gone
