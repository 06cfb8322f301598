"""Numbers of people who do not exist: a NIK for each made-up person, a KK number for each family.

They follow from the demonstration's seed and are never kept: whoever wants one makes it again. All
are of the unassigned regions of the made-up places, so that none is a living person's.
"""

from __future__ import annotations

import hashlib

from ledger.look_up import WOMAN


def invent_number(seed: int, household: bytes, member: int, *, kecamatan: str) -> str:
    """16 digits: region, a day, a serial.

    Args:
        seed: of the demonstration office.
        household: 8 bytes.
        member: whose NIK; 0 for the number of the KK.
        kecamatan: 6 digits.
    """
    named = f"KHB demo number {seed} {household.hex()} {member}"
    digest = hashlib.sha256(named.encode()).digest()
    day, month, year = digest[0] % 28 + 1, digest[1] % 12 + 1, digest[2] % 100
    if member and digest[3] % 2:
        day += WOMAN
    serial = int.from_bytes(digest[4:8], "big") % 9999 + 1
    return f"{kecamatan}{day:02d}{month:02d}{year:02d}{serial:04d}"
