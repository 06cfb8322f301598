"""Records: the strict, canonical form of everything this ledger signs or hashes.

A record is a canonical CBOR array whose items are the fields of a ``Record`` class in order.
msgspec checks types and limits; ``card_codec.canonical`` checks the bytes; packing what was
unpacked must give the same bytes again, so one meaning has one form.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
import zstandard

from card_codec import canonical
from card_codec.errors import CardCodecError
from ledger.errors import RecordError

U8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
U16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
U24 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFF)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
U53 = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
"""Unix time in whole seconds."""
TIME_MAX = 32_503_680_000
"""The year 3000: a signed time past it is a mistake, and calendars end soon after."""
HouseholdId = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
"""8 random bytes, stable over cards and family-card numbers."""
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Leaf8 = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
"""First 8 bytes of a journal entry's leaf hash."""
BootId = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
Kecamatan = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")]
Desa = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{10}\Z")]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
LongText = Annotated[str, msgspec.Meta(max_length=400)]

INFLATED_MAX = 64 * 1024 * 1024
"""No compressed file of the ledger may grow beyond this many bytes."""


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of every record: immutable, written as a canonical CBOR array.

    None ever leads back to itself, so Python's collector need not walk through them.
    """


R = TypeVar("R", bound=Record)


def pack(record: Record) -> bytes:
    """Write a record in its one canonical form.

    Raises:
        RecordError: a number of more than 64 bits, or a text that is not Unicode.
    """
    try:
        return canonical.encode(msgspec.to_builtins(record, builtin_types=(bytes,)))
    except CardCodecError as error:
        raise RecordError(f"cannot write this {type(record).__name__}: {error.detail}") from error


def unpack(data: bytes, kind: type[R], *, size_max: int, name: str | None = None) -> R:
    """Read a record strictly.

    Args:
        data: all of the bytes.
        kind: what they must be.
        size_max: limit in bytes.
        name: what to call it in an error.

    Raises:
        RecordError: the bytes are too long, not canonical, or not a record of this kind.
    """
    name = name or kind.__name__
    try:
        record = msgspec.convert(canonical.decode(data, size_max=size_max), kind)
    except CardCodecError as error:
        raise RecordError(f"not a {name}: {error.detail}") from error
    except msgspec.ValidationError as error:
        raise RecordError(f"not a {name}: {error}") from error
    if pack(record) != data:
        # msgspec also takes bytes written as base64 text; that would be a second form.
        raise RecordError(f"not a {name}: it is not in its one form")
    return record


def compress(data: bytes, *, level: int = 10) -> bytes:
    """Compress with zstd, size in the frame header; a higher level is for small data alone."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def inflate(data: bytes, *, size_max: int = INFLATED_MAX) -> bytes:
    """Inflate one zstd frame of a declared, bounded size.

    Raises:
        RecordError: damaged, of undeclared size, or larger than ``size_max`` bytes.
    """
    try:
        declared = zstandard.frame_content_size(data)
        if not 0 <= declared <= size_max:
            raise RecordError("a compressed file is too large or hides its size")
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        plain = decompressor.decompress(data)
    except zstandard.ZstdError as error:
        raise RecordError("a compressed file is damaged; fetch it again") from error
    if len(plain) != declared or decompressor.unused_data:
        raise RecordError("a compressed file is cut short or has bytes to spare")
    return plain
