"""The batch: entries of one terminal's journal under one signature, in the slim form.

Format: docs/spec/batch.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ledger.entry import Entry
from ledger.errors import RecordError
from ledger.record import Hash, Record, compress, inflate, pack, unpack
from sync_agent.errors import MessageError
from sync_agent.slim import Place, Shape, Slim, read_slim, write_slim

BATCH_ENTRIES_MAX = 500
BATCH_SIZE_MAX = 1024 * 1024
"""No upload is longer, in bytes on the wire; columns that inflate beyond it are refused too."""
POOL_SIZE_MAX = 600 * 1024
"""500 entries of 1,024 bytes, whole, and their frames."""


class Batch(msgspec.Struct, frozen=True):
    """Entries ``start``, ``start`` + 1, … of one terminal and epoch, and the last one's signature.

    The one signature covers all of them, and all before them, through the chain.
    """

    terminal: int
    epoch: int
    start: int
    entries: tuple[Entry, ...]
    signature: bytes

    @property
    def end(self) -> int:
        """Number of the last entry."""
        return self.start + len(self.entries) - 1


class BatchFile(Record, frozen=True):
    """A batch as it travels; ``columns`` are compressed (zstd)."""

    form: Literal["khb-batch-2"]
    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    start: Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
    count: Annotated[int, msgspec.Meta(ge=1, le=BATCH_ENTRIES_MAX)]
    prev: Hash
    shapes: Annotated[tuple[Shape, ...], msgspec.Meta(max_length=BATCH_ENTRIES_MAX)]
    texts: tuple[Annotated[str, msgspec.Meta(max_length=1024)], ...]
    columns: bytes
    pool: Annotated[bytes, msgspec.Meta(max_length=POOL_SIZE_MAX)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


def write_batch(batch: Batch) -> bytes:
    """A batch as it travels."""
    prev = batch.entries[0].body.prev
    place = Place(batch.terminal, batch.epoch, batch.start, prev)
    slim = write_slim(place, batch.entries)
    return pack(
        BatchFile(
            form="khb-batch-2",
            terminal=batch.terminal,
            epoch=batch.epoch,
            start=batch.start,
            count=len(batch.entries),
            prev=prev,
            shapes=slim.shapes,
            texts=slim.texts,
            columns=compress(slim.columns),
            pool=slim.pool,
            signature=batch.signature,
        )
    )


def read_batch(data: bytes) -> Batch:
    """Read a batch strictly and work out its entries. Whether it is true is not said here.

    Raises:
        MessageError: not a batch.
    """
    try:
        file = unpack(data, BatchFile, size_max=BATCH_SIZE_MAX, name="batch")
        columns = inflate(file.columns, size_max=BATCH_SIZE_MAX)
    except RecordError as error:
        raise MessageError(f"this is not a batch: {error.detail}") from error
    place = Place(file.terminal, file.epoch, file.start, file.prev)
    slim = Slim(file.shapes, file.texts, columns, file.pool)
    entries = read_slim(place, file.count, slim)
    return Batch(file.terminal, file.epoch, file.start, tuple(entries), file.signature)
