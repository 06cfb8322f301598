"""Small numbers in few bytes: seven bits a byte, the lowest first; the last byte is below 128."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.errors import RecordError

BITS_MAX = 35
"""Five bytes: enough for 32 bits and a sign."""


def write_varints(numbers: Iterable[int]) -> bytes:
    """Numbers of 0 to 35 bits, one after the other."""
    out = bytearray()
    for value in numbers:
        while value >= 128:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


class Varints:
    """Reads what ``write_varints`` wrote; that it is the shortest form, its caller must check."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> list[int]:
        """The next so many.

        Raises:
            RecordError: there are fewer, or one of more than five bytes.
        """
        found = []
        data, at = self._data, self._at
        try:
            for _ in range(count):
                value, shift = data[at], 7
                at += 1
                if value >= 128:
                    value &= 0x7F
                    while data[at] >= 128 and shift < BITS_MAX:
                        value |= (data[at] & 0x7F) << shift
                        at, shift = at + 1, shift + 7
                    if shift >= BITS_MAX:
                        raise RecordError("a number of more than five bytes")
                    value |= data[at] << shift
                    at += 1
                found.append(value)
        except IndexError as error:
            raise RecordError("fewer numbers than it says") from error
        self._at = at
        return found

    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)
