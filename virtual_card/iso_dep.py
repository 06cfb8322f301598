"""The block protocol of ISO/IEC 14443-4 at the card's end: a double as radio frames see it.

Kept rules (clause 7.5.4.3): an I-block turns the card's block number over and is carried out; an
R-block with the card's own number asks for the last block again (rule 11); R(NAK) with the other
number gets R(ACK) (rule 12); R(ACK) with the other number goes on with a chained answer (rule 13).
"""

from __future__ import annotations

from virtual_card.desfire import DesfireCard

_RATS, _DESELECT = 0xE0, 0xC2
_I_BLOCK, _R_ACK, _R_NAK = 0x02, 0xA2, 0xB2
_CHAINED = 0x10
_FRAME_BYTES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
# TL, T0 (TA, TB, TC follow; frames of 256 bytes), TA, TB (long frame waiting time), TC (no CID)
_ATS = bytes.fromhex("067880900080")


class IsoDepCard:
    """A double that takes blocks; silent (None) where a card would be."""

    def __init__(self, card: DesfireCard) -> None:
        self.card = card
        self.field_off()

    def field_off(self) -> None:
        """The card forgets everything but its memory."""
        self.card.power_off()
        self._number = 1
        self._received = b""
        self._left = b""
        self._last = b""
        self._frame_bytes = 0

    def answer(self, block: bytes) -> bytes | None:
        """What the card sends for a block."""
        if not block:
            return None
        if block[0] == _RATS and len(block) == 2:
            self._frame_bytes = _FRAME_BYTES[min(block[1] >> 4, 8)]
            return _ATS
        if not self._frame_bytes:
            return None
        if block[0] == _DESELECT:
            self.field_off()
            return block
        kind = block[0] & 0xFE
        if kind in {_I_BLOCK, _I_BLOCK | _CHAINED}:
            return self._said(self._data(block))
        if kind in {_R_ACK, _R_NAK}:
            return self._acknowledged(kind, block[0] & 1)
        return None

    def _data(self, block: bytes) -> bytes:
        self._number ^= 1
        self._received += block[1:]
        if block[0] & _CHAINED:
            return bytes([_R_ACK | self._number])
        apdu, self._received = self._received, b""
        self._left = self.card.process(apdu)
        return self._next()

    def _acknowledged(self, kind: int, number: int) -> bytes:
        if number == self._number:
            return self._last
        if kind == _R_NAK:
            return bytes([_R_ACK | self._number])
        self._number ^= 1
        return self._said(self._next())

    def _next(self) -> bytes:
        size = self._frame_bytes - 3  # a PCB before, a CRC of two bytes after
        part, self._left = self._left[:size], self._left[size:]
        return bytes([_I_BLOCK | (_CHAINED if self._left else 0) | self._number]) + part

    def _said(self, block: bytes) -> bytes:
        self._last = block
        return block
