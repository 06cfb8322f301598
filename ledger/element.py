"""Elements: the one idea of this ledger.

What a family has left of a right is its quantity minus the sum over the *union* of every
element of that right known here. An element is a redemption named by who recorded it and by the
hash of what was recorded; a union does not care about order, repetition or route.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ledger.errors import RecordError
from ledger.record import TIME_MAX, U32, Kecamatan, Record, compress, inflate, pack, unpack

USAGE_SIZE_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Right:
    """What is owed: by one programme, in one window, to a household or one member of it.

    Attributes:
        household: 8 bytes.
        member: the person's number in the household; 0 for a household programme.
        programme: its number in the policy.
        window: its number in the programme.
    """

    household: bytes
    member: int
    programme: int
    window: int

    def text(self) -> str:
        """One stable word for reports: ``household/member/programme/window``."""
        return f"{self.household.hex()}/{self.member}/{self.programme}/{self.window}"


@dataclass(frozen=True, slots=True, order=True)
class RedemptionId:
    """Made by the terminal before anything else happens; never by the card."""

    terminal: int
    epoch: int
    seq: int

    def number(self) -> str:
        """The receipt number people read: ``T001-0017``; ``T001.2-0017`` in epoch 2."""
        terminal = f"T{self.terminal:03d}" + (f".{self.epoch}" if self.epoch != 1 else "")
        return f"{terminal}-{self.seq:04d}"


@dataclass(frozen=True, slots=True)
class Element:
    """One redemption as every road carries it.

    Attributes:
        id: who recorded it, as which entry.
        leaf: first 8 bytes of that entry's leaf hash; two leaves under one id both count.
        right: what was taken from.
        quantity: how much.
        minute: when, in minutes of Unix time, so that another counter can say it.
        counter: the chip's Transaction MAC counter, 0 without a chip.
    """

    id: RedemptionId
    leaf: bytes
    right: Right
    quantity: int
    minute: int
    counter: int = 0


class UsageFile(Record, frozen=True):
    """A numbered, unchanging segment of usage of one kecamatan, in columns."""

    form: Literal["khb-usage-1"]
    kecamatan: Kecamatan
    number: U32
    fixed: bytes
    households: bytes
    leaves: bytes


_FIXED = struct.Struct(">HBIBBBIII")


def write_usage(kecamatan: str, number: int, elements: Iterable[Element]) -> bytes:
    """One segment as the online key signs it (compressed)."""
    rows = sorted(elements, key=lambda e: (e.id, e.leaf))
    fixed = [
        _FIXED.pack(
            e.id.terminal, e.id.epoch, e.id.seq, e.right.member, e.right.programme,
            e.right.window, e.quantity, e.minute, e.counter,
        )
        for e in rows
    ]  # fmt: skip
    record = UsageFile(
        form="khb-usage-1",
        kecamatan=kecamatan,
        number=number,
        fixed=_transpose(b"".join(fixed), _FIXED.size),
        households=b"".join(e.right.household for e in rows),
        leaves=b"".join(e.leaf for e in rows),
    )
    return compress(pack(record))


def read_usage(data: bytes) -> tuple[UsageFile, tuple[Element, ...]]:
    """Read a segment strictly.

    Raises:
        RecordError: not a usage segment.
    """
    file = unpack(inflate(data, size_max=USAGE_SIZE_MAX), UsageFile, size_max=USAGE_SIZE_MAX)
    count, odd = divmod(len(file.households), 8)
    if odd or len(file.leaves) != count * 8 or len(file.fixed) != count * _FIXED.size:
        raise RecordError("a usage file has columns of different lengths")
    return file, tuple(_elements(file, count))


def _elements(file: UsageFile, count: int) -> Iterator[Element]:
    fixed = _transpose(file.fixed, count) if count else b""
    for i, row in enumerate(_FIXED.iter_unpack(fixed)):
        terminal, epoch, seq, member, programme, window, quantity, minute, counter = row
        if minute * 60 > TIME_MAX:
            raise RecordError("a usage file holds a redemption dated past the year 3000")
        right = Right(file.households[i * 8 : i * 8 + 8], member, programme, window)
        leaf = file.leaves[i * 8 : i * 8 + 8]
        yield Element(RedemptionId(terminal, epoch, seq), leaf, right, quantity, minute, counter)


def _transpose(data: bytes, width: int) -> bytes:
    """Rows of ``width`` bytes to columns: like bytes come together and compress."""
    return b"".join(data[column::width] for column in range(width))
