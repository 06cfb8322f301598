"""The status list: one bit per card, set when it no longer counts.

The compressed byte array of the IETF Token Status List (draft-ietf-oauth-status-list, §4): one
bit per index, the lowest bit of the first byte first, in a zlib stream. What is kept is the array
itself; the compressed form is not unique and nothing is keyed by it.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from card_codec import canonical
from card_codec.errors import malformed

BITS_MAX = 8_000_000  # 1 MB inflated
SIZE_BYTES_MAX = 1_100_000


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list of single bits. Indices beyond its size are refused, never read as clear."""

    bits: bytes

    @classmethod
    def from_indices(cls, size: int, set_indices: Iterable[int]) -> "StatusList":
        """A list of at least `size` bits (rounded up to whole bytes), some of them set.

        Raises:
            CardCodecError: `malformed`, for an index outside of the list or a size out of bounds.
        """
        canonical.take_int(size, "the size of the status list", 1, BITS_MAX)
        bits = bytearray((size + 7) // 8)
        for index in set_indices:
            canonical.take_int(index, "an index of the status list", 0, size - 1)
            bits[index >> 3] |= 1 << (index & 7)
        return cls(bytes(bits))

    @property
    def size(self) -> int:
        """Number of bits, a multiple of 8."""
        return len(self.bits) * 8

    def is_set(self, index: int) -> bool:
        """Whether the card with this index no longer counts.

        Raises:
            CardCodecError: `malformed`, for an index outside of the list.
        """
        canonical.take_int(index, "an index of the status list", 0, self.size - 1)
        return bool(self.bits[index >> 3] >> (index & 7) & 1)

    def indices(self) -> frozenset[int]:
        """Every index whose bit is set."""
        return frozenset(
            at * 8 + k
            for at, byte in enumerate(self.bits)
            if byte
            for k in range(8)
            if byte >> k & 1
        )

    def union(self, other: "StatusList") -> "StatusList":
        """Every bit that is set in either list; the longer list gives the size."""
        size = max(len(self.bits), len(other.bits))
        joined = int.from_bytes(self.bits, "little") | int.from_bytes(other.bits, "little")
        return StatusList(joined.to_bytes(size, "little"))

    def encode(self) -> bytes:
        """The list as canonical CBOR ``{"bits": 1, "lst": zlib}``."""
        return canonical.encode({"bits": 1, "lst": zlib.compress(self.bits, 9)})

    @classmethod
    def decode(cls, data: bytes) -> "StatusList":
        """The list in canonical CBOR, at most 1.1 MB, inflated at most 1 MB.

        Raises:
            CardCodecError: `malformed`.
        """
        value = canonical.take_map(canonical.decode(data, size_max=SIZE_BYTES_MAX), "status list")
        if value.keys() != {"bits", "lst"} or canonical.take_int(value["bits"], "bits") != 1:
            raise malformed("this is not a status list with one bit per index")
        return cls(_inflate(canonical.take_bytes(value["lst"], "the list")))


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        bits = stream.decompress(data, BITS_MAX // 8 + 1)
    except zlib.error as exc:
        raise malformed("the status list does not inflate") from exc
    if not stream.eof or stream.unused_data or not 1 <= len(bits) <= BITS_MAX // 8:
        raise malformed("the status list is cut off, too long, or followed by other bytes")
    return bits
