"""Columns: numbers, texts and byte strings of many entries, like beside like, to compress.

What stands here has one form: numbers are as short as they can be, a text or a byte string comes
once, new ones in the order of their first use. Format: docs/spec/batch.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_agent.errors import MessageError

NUMBER_BITS_MAX = 70
"""Seven bits a byte: ten bytes are enough for every number of 64 bits."""

_SIGNED = [v >> 1 if not v & 1 else ~(v >> 1) for v in range(0x80)]


class ColumnWriter:
    """Writes columns one after the other."""

    def __init__(self) -> None:
        self._columns = bytearray()
        self._texts: dict[str, int] = {}
        self._strings: dict[bytes, int] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that came, once, in the order of first use."""
        return tuple(self._texts)

    @property
    def pool(self) -> bytes:
        """Every byte string that came, once, in the order of first use."""
        return b"".join(self._strings)

    def finish(self) -> bytes:
        """How many byte strings there are and how long each is, then the columns."""
        lengths = _numbers([len(self._strings), *map(len, self._strings)])
        return lengths + bytes(self._columns)

    def numbers(self, values: Sequence[int]) -> None:
        """Numbers from 0 on."""
        self._columns += _numbers(values)

    def signed(self, values: Sequence[int]) -> None:
        """Any numbers, those near 0 the shortest: 0, -1, 1, -2, … are written as 0, 1, 2, 3, …."""
        self._columns += _numbers([v << 1 if v >= 0 else ~(v << 1) for v in values])

    def words(self, values: Sequence[str]) -> None:
        """Texts, each by its place in the list of texts."""
        known = self._texts
        self.numbers([known.setdefault(value, len(known)) for value in values])

    def strings(self, values: Sequence[bytes]) -> None:
        """Byte strings: 0 for a new one, else how many new ones ago it was new (1 = the last)."""
        known, places = self._strings, []
        for value in values:
            place = known.get(value)
            if place is None:
                known[value] = len(known)
                places.append(0)
            else:
                places.append(len(known) - place)
        self.numbers(places)


class ColumnReader:
    """Reads what a ``ColumnWriter`` wrote, and nothing else.

    Every method raises ``MessageError`` on what no writer would have written.
    """

    def __init__(self, columns: bytes, texts: Sequence[str], pool: bytes) -> None:
        self._data = columns
        self._at = 0
        self._texts = texts
        self._texts_used = 0
        self._strings = self._cut(pool)
        self._strings_used = 0

    def finish(self) -> None:
        """Everything must have been used.

        Raises:
            MessageError: something is left over.
        """
        used = (self._at, self._texts_used, self._strings_used)
        if used != (len(self._data), len(self._texts), len(self._strings)):
            raise MessageError("this is not a batch: it carries more than its entries need")
        if len(set(self._texts)) != len(self._texts):
            raise MessageError("this is not a batch: it carries a text twice")
        if len(set(self._strings)) != len(self._strings):
            raise MessageError("this is not a batch: it carries a byte string twice")

    def number(self, most: int) -> int:
        """One number, at most ``most``."""
        (value,) = self.numbers(1)
        if value > most:
            raise MessageError(f"this is not a batch: {value} where at most {most} is possible")
        return value

    def numbers(self, count: int) -> Sequence[int]:
        """So many numbers."""
        end = self._at + count
        chunk = self._data[self._at : end]
        if len(chunk) == count and chunk.isascii():  # every number is one byte: the usual case
            self._at = end
            return chunk
        return self._longer(count)

    def signed(self, count: int) -> list[int]:
        """So many numbers of either sign."""
        values = self.numbers(count)
        if isinstance(values, bytes):
            return list(map(_SIGNED.__getitem__, values))
        return [v >> 1 if not v & 1 else ~(v >> 1) for v in values]

    def words(self, count: int) -> list[str]:
        """So many texts."""
        places = self.numbers(count)
        for place in dict.fromkeys(places):  # in the order of first use
            if place == self._texts_used:
                self._texts_used += 1
            if place >= self._texts_used or place >= len(self._texts):
                raise MessageError("this is not a batch: it names a text it does not carry")
        return list(map(self._texts.__getitem__, places))

    def strings(self, count: int) -> list[bytes]:
        """So many byte strings."""
        known, used = self._strings, self._strings_used
        places = self.numbers(count)
        if not any(places):  # all are new: the usual case
            self._strings_used += count
            found = known[used : used + count]
        else:
            found = []
            for back in places:
                if back == 0:
                    used += 1
                place = used - (back or 1)
                found += known[place : place + 1] if place >= 0 else ()
            self._strings_used = used
        if len(found) != count:
            raise MessageError("this is not a batch: it names bytes it does not carry")
        return found

    def _longer(self, count: int) -> list[int]:
        """Numbers of which some take more than one byte."""
        found, data, at = [], self._data, self._at
        try:
            for _ in range(count):
                value, shift, byte = 0, 0, data[at]
                while byte > 0x7F:
                    value |= (byte & 0x7F) << shift
                    shift += 7
                    at += 1
                    byte = data[at] if shift < NUMBER_BITS_MAX else 0
                at += 1
                if shift and not byte:
                    raise MessageError("this is not a batch: a number in it is too long")
                found.append(value | byte << shift)
        except IndexError as error:
            raise MessageError("this is not a batch: a number in it is cut off") from error
        self._at = at
        return found

    def _cut(self, pool: bytes) -> list[bytes]:
        found, at = [], 0
        for length in self.numbers(self.number(len(pool) + 1)):
            found.append(pool[at : at + length])
            at += length
        if at != len(pool):
            raise MessageError("this is not a batch: its byte strings have other lengths")
        return found


def _numbers(values: Sequence[int]) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    if all(value < 0x80 for value in values):
        return bytes(values)
    out = bytearray()
    for value in values:
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)
