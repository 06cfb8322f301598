"""Base of a kecamatan's rights: columns over households sorted by their random id.

Only pseudonyms, places, classes and numbers stand here: no name, no NIK, no KK number. Household
quantities follow from the class by policy; only rights of persons have rows of their own.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from card_codec.status import BITS_MAX
from ledger.errors import RecordError
from ledger.record import U32, Desa, Kecamatan, Record, ShortText, compress, inflate, pack, unpack
from ledger.varint import Varints, write_varints

BASE_SIZE_MAX = 32 * 1024 * 1024
MORE_SIZE_MAX = 4200
FLAG_CHIP = 1
"""The household holds a chip card: its QR and look-up answer ``use_chip``."""
FLAG_MOVED = 2
FLAG_DECEASED = 4
FLAG_REMOVED = 8
"""No longer entitled, for a reason the counter does not tell."""


@dataclass(frozen=True, slots=True)
class MemberRight:
    """What one person of a household has by one programme, in each window."""

    member: int
    programme: int
    quantity: int


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """One household as the decree lists it.

    Attributes:
        household: 8 random bytes.
        desa: 10-digit code.
        issue: number of its current card; a lower one is replaced.
        class_number: its class in the policy.
        flags: ``FLAG_…`` bits.
        members: rights of persons.
    """

    household: bytes
    desa: str
    issue: int
    class_number: int
    flags: int
    members: tuple[MemberRight, ...] = ()


class RightsBase(Record, frozen=True):
    """The signed file, in columns (n households, m rights of persons).

    Attributes:
        number: rises when the rest changes.
        changes: number of the kecamatan's last changes that are in it already; 0 before the first.
    """

    form: Literal["khb-base-2"]
    kecamatan: Kecamatan
    period: ShortText
    number: U32
    changes: U32
    desa_codes: Annotated[tuple[Desa, ...], msgspec.Meta(max_length=255)]
    households: bytes  # n × 8, strictly rising
    desa: bytes  # n × 1, index into desa_codes
    issues: bytes  # n × 1, from 1 on
    classes: bytes  # n × 1
    flags: bytes  # n × 1
    member_counts: bytes  # n × 1, rights of persons of each household
    members: bytes  # m × 1
    programmes: bytes  # m × 1
    quantities: bytes  # m × 4, big-endian, below 2²⁴

    @property
    def count(self) -> int:
        """How many households."""
        return len(self.households) // 8

    def ids(self) -> list[bytes]:
        """Ids of the households, in the order of their ordinals."""
        return [self.households[i : i + 8] for i in range(0, len(self.households), 8)]

    def rows(self) -> Iterator[HouseholdRow]:
        """Every household in order of its id: the position is its ordinal."""
        at = 0
        for i in range(self.count):
            persons = self.member_counts[i]
            yield HouseholdRow(
                self.households[i * 8 : i * 8 + 8],
                self.desa_codes[self.desa[i]],
                self.issues[i],
                self.classes[i],
                self.flags[i],
                tuple(self._member(j) for j in range(at, at + persons)),
            )
            at += persons

    def _member(self, j: int) -> MemberRight:
        (quantity,) = struct.unpack_from(">I", self.quantities, j * 4)
        return MemberRight(self.members[j], self.programmes[j], quantity)


def make_base(
    kecamatan: str, *, period: str, number: int, rows: Iterable[HouseholdRow], changes: int = 0
) -> RightsBase:
    """Lay rows out in columns; the same rows in any order give the same bytes."""
    ordered = sorted(rows, key=lambda r: r.household)
    desa_codes = tuple(sorted({r.desa for r in ordered}))
    index = {code: i for i, code in enumerate(desa_codes)}
    persons = [m for r in ordered for m in sorted(r.members, key=lambda m: (m.member, m.programme))]
    return RightsBase(
        form="khb-base-2",
        kecamatan=kecamatan,
        period=period,
        number=number,
        changes=changes,
        desa_codes=desa_codes,
        households=b"".join(r.household for r in ordered),
        desa=bytes(index[r.desa] for r in ordered),
        issues=bytes(r.issue for r in ordered),
        classes=bytes(r.class_number for r in ordered),
        flags=bytes(r.flags for r in ordered),
        member_counts=bytes(len(r.members) for r in ordered),
        members=bytes(m.member for m in persons),
        programmes=bytes(m.programme for m in persons),
        quantities=b"".join(struct.pack(">I", m.quantity) for m in persons),
    )


def write_base(base: RightsBase) -> bytes:
    """The base as the decree signs it (compressed)."""
    return compress(pack(base))


def read_base(data: bytes) -> RightsBase:
    """Read a base strictly.

    Raises:
        RecordError: not a base, columns that do not fit, or households out of order.
    """
    base = unpack(inflate(data, size_max=BASE_SIZE_MAX), RightsBase, size_max=BASE_SIZE_MAX)
    n, odd = divmod(len(base.households), 8)
    columns = (base.desa, base.issues, base.classes, base.flags, base.member_counts)
    m = sum(base.member_counts)
    if odd or any(len(c) != n for c in columns):
        raise RecordError("a rights file has columns of different lengths")
    if len(base.members) != m or len(base.programmes) != m or len(base.quantities) != m * 4:
        raise RecordError("a rights file has columns of different lengths")
    if any(base.quantities[::4]) or 0 in base.issues:
        raise RecordError("a rights file holds a quantity over 16,777,215 or an issue number 0")
    if n and max(base.desa) >= len(base.desa_codes):
        raise RecordError("a rights file names a desa it does not list")
    ids = [base.households[i * 8 : i * 8 + 8] for i in range(n)]
    if any(a >= b for a, b in pairwise(ids)):
        raise RecordError("a rights file lists households out of order")
    return base


def state_root(base: RightsBase) -> bytes:
    """SHA-256 over the canonical, uncompressed base (32 bytes)."""
    return hashlib.sha256(pack(base)).digest()


class StatusFile(Record, frozen=True):
    """Blocked cards of one kecamatan: a Token Status List over one base.

    The index of a card is ``(issue − 1) × n + ordinal``, so it belongs to household and issue
    number, and a replacement starts clear.
    """

    form: Literal["khb-status-1"]
    kecamatan: Kecamatan
    root: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    bits: bytes  # card_codec.status encoding


class MoreBlocked(Record, frozen=True):
    """Cards blocked since the status file beside it was made: what most days need of it.

    Attributes:
        gaps: indices in rising order, each less the one before it and less one, as varints.
    """

    form: Literal["khb-more-1"]
    gaps: Annotated[bytes, msgspec.Meta(min_length=1, max_length=4096)]


def status_path(kecamatan: str) -> str:
    """The path of a kecamatan's blocked cards in the ledger."""
    return f"status/{kecamatan}/list.cbor"


def more_path(kecamatan: str) -> str:
    """The path of those blocked since."""
    return f"status/{kecamatan}/more.cbor"


def status_index(ordinal: int, *, issue: int, count: int) -> int:
    """Where a card's bit stands in the status list of a base of ``count`` households."""
    return (issue - 1) * count + ordinal


def write_status(status: StatusFile) -> bytes:
    """The status file as the online key signs it."""
    return pack(status)


def read_status(data: bytes) -> StatusFile:
    """Read a status file strictly.

    Raises:
        RecordError: not a status file.
    """
    return unpack(data, StatusFile, size_max=BASE_SIZE_MAX)


def write_more(indices: Iterable[int]) -> bytes:
    """Further blocked cards as the online key signs them: some 2 bytes each."""
    rising = sorted(set(indices))
    gaps = (index - before - 1 for before, index in pairwise([-1, *rising]))
    return pack(MoreBlocked("khb-more-1", write_varints(gaps)))


def read_more(data: bytes) -> frozenset[int]:
    """Read further blocked cards strictly.

    Raises:
        RecordError: not such a file.
    """
    gaps = unpack(data, MoreBlocked, size_max=MORE_SIZE_MAX).gaps
    numbers, found, index = Varints(gaps), set(), -1
    while not numbers.is_done():
        index += numbers.take(1)[0] + 1
        if index >= BITS_MAX:
            raise RecordError("a file of further blocked cards names one past the longest list")
        found.add(index)
    if write_more(found) != data:
        raise RecordError("a file of further blocked cards has a second form")
    return frozenset(found)
