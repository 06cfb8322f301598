"""Building ``rights.db`` from verified bytes, small enough for a million households.

One row per household, its columns packed into 8 bytes and its persons' rights behind them; rows go
in by rising id over all bases at once, so that pages are full and written one after the other.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from card_codec.status import StatusList
from card_codec.trust import TrustList, encode_trust_list
from ledger.changes_file import Clearing, Correction
from ledger.errors import RightsError
from ledger.policy import Policy
from ledger.rights_file import HouseholdRow, MemberRight, RightsBase, state_root
from ledger.roll import Roll

SCHEMA = """
CREATE TABLE part (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE base (
    number INTEGER PRIMARY KEY, kecamatan TEXT UNIQUE NOT NULL, root BLOB NOT NULL,
    count INTEGER NOT NULL, office_time INTEGER NOT NULL, desa TEXT NOT NULL, status BLOB NOT NULL,
    changes INTEGER NOT NULL, changes_by TEXT NOT NULL
) STRICT;
CREATE TABLE cleared (
    household BLOB NOT NULL, issue INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (household, issue, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE corrected (
    terminal INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    household BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (terminal, epoch, seq, household, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE household (id BLOB PRIMARY KEY, packed BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
_ROW = struct.Struct(">BHBBBBB")  # base, ordinal (16 low bits, 8 high bits), desa, issue, class, …
_MEMBER = struct.Struct(">BBI")
BASES_MAX = 256
CACHE_KIB = 16 * 1024


class Versions(msgspec.Struct, frozen=True):
    """Which ledger is installed, under which root and decree, and how new it is (Unix s)."""

    ledger: int
    timestamp_time: int
    office_time: int
    root: int = 0
    decree: int = 0


@dataclass(frozen=True, slots=True)
class BaseToInstall:
    """A kecamatan's verified rights, as changed since the decree, with its blocked cards.

    Attributes:
        base: the decree's, with the changes of the kecamatan.
        status: over the same ordinals.
        office_time: newest offline signature over them.
        cleared: every block the kecamatan has taken off.
        changes_by: names the keys that the decree lets sign its changes.
        corrected: every redemption that its changes take back, also of earlier decrees.
    """

    base: RightsBase
    status: StatusList
    office_time: int
    cleared: frozenset[Clearing] = frozenset()
    changes_by: str = ""
    corrected: tuple[Correction, ...] = ()


def build_rights(
    path: Path,
    *,
    versions: Versions,
    policy: Policy,
    roll: Roll,
    trust: TrustList,
    bases: list[BaseToInstall],
) -> None:
    """Build ``rights.db`` beside the old one and switch atomically.

    Raises:
        RightsError: the disk refused; the old ledger stands.
    """
    if len(bases) > BASES_MAX:
        raise RightsError(f"a terminal holds at most {BASES_MAX} kecamatan, not {len(bases)}")
    building = path.with_name(".building-rights.db")
    try:
        building.unlink(missing_ok=True)
        with closing(sqlite3.connect(building, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=OFF")
            db.execute("PRAGMA synchronous=OFF")  # _switch syncs the finished file
            db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            db.executescript("BEGIN;" + SCHEMA)
            parts = {
                "versions": msgspec.json.encode(versions),
                # Verified and read strictly already; kept in the form that is read fastest.
                "policy": msgspec.msgpack.encode(policy),
                "roll": msgspec.msgpack.encode(roll),
                "trust": encode_trust_list(trust),
            }
            db.executemany("INSERT INTO part VALUES (?, ?)", parts.items())
            db.executemany("INSERT INTO base VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _bases(bases))
            cleared = {(c.household, c.issue, c.number) for b in bases for c in b.cleared}
            db.executemany("INSERT INTO cleared VALUES (?, ?, ?)", cleared)
            corrected = {
                (c.terminal, c.epoch, c.seq, c.household, c.number)
                for b in bases
                for c in b.corrected
            }
            db.executemany("INSERT INTO corrected VALUES (?, ?, ?, ?, ?)", corrected)
            db.executemany("INSERT INTO household VALUES (?, ?)", _by_id(bases))
            db.execute("COMMIT")
        _switch(building, path)
    except (sqlite3.Error, OSError) as error:
        building.unlink(missing_ok=True)
        raise RightsError(f"could not install the ledger ({error}); the old one stands") from error


def unpack_row(id: bytes, packed: bytes, desa_codes: tuple[str, ...]) -> tuple[HouseholdRow, int]:
    """A household's row and its ordinal in its base, from the packed form.

    Raises:
        RightsError: the row is not one of ours.
    """
    try:
        _, low, high, desa, issue, class_number, flags = _ROW.unpack_from(packed)
        members = tuple(MemberRight(*m) for m in _MEMBER.iter_unpack(packed[_ROW.size :]))
        row = HouseholdRow(id, desa_codes[desa], issue, class_number, flags, members)
    except (struct.error, IndexError) as error:
        raise RightsError(f"the installed ledger is damaged ({error}); sync again") from error
    return row, high << 16 | low


def base_of(packed: bytes) -> int:
    """Number of the base a packed row stands in."""
    return packed[0]


def ordinal_of(packed: bytes) -> int:
    """Ordinal of a packed row in its base."""
    return packed[3] << 16 | packed[1] << 8 | packed[2]


def _bases(bases: list[BaseToInstall]) -> Iterator[tuple[object, ...]]:
    for number, one in enumerate(bases):
        base, desa = one.base, " ".join(one.base.desa_codes)
        yield (number, base.kecamatan, state_root(base), base.count, one.office_time, desa,
               one.status.encode(), base.changes, one.changes_by)  # fmt: skip


def _by_id(bases: list[BaseToInstall]) -> Iterator[tuple[bytes, bytes]]:
    """(id, packed) of all bases by rising id: one first byte at a time, so that few wait."""
    streams = [_rows(number, one.base) for number, one in enumerate(bases)]
    waiting = [next(stream, None) for stream in streams]
    for first in range(256):
        some = []
        for at, stream in enumerate(streams):
            row = waiting[at]
            while row is not None and row[0] == first:
                some.append(row)
                row = next(stream, None)
            waiting[at] = row
        some.sort()
        yield from ((row[:8], row[8:]) for row in some)


def _rows(number: int, base: RightsBase) -> Iterator[bytes]:
    """The id of every household of a base and its packed row in one, which sorts faster."""
    households, columns = (
        base.households,
        zip(base.desa, base.issues, base.classes, base.flags, base.member_counts, strict=True),
    )
    pack, at = _ROW.pack, 0
    for ordinal, (desa, issue, class_number, flags, persons) in enumerate(columns):
        row = households[ordinal * 8 : ordinal * 8 + 8] + pack(
            number, ordinal & 0xFFFF, ordinal >> 16, desa, issue, class_number, flags
        )
        if persons:
            row += b"".join(
                bytes((base.members[j], base.programmes[j])) + base.quantities[j * 4 : j * 4 + 4]
                for j in range(at, at + persons)
            )
            at += persons
        yield row


def _switch(building: Path, path: Path) -> None:
    for target in (building, building.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if target == building:
            os.replace(building, path)
