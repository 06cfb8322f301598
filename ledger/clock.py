"""Time without a network: two floors, and two readings of now.

``early`` is the latest time that is certainly past: rights open by it. ``late`` is the latest
time that may be past: windows close and data age by it. Only what an offline key signed, and the
terminal's own committed entries, move ``early``; the online time alone never does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.policy import DAY
from ledger.record import BootId, Record, Seconds

WALL_TRUST = 45 * DAY
"""The wall clock counts only this far past what an offline key has signed."""
CONFIRMED_TRUST = DAY
"""And this far past what it said when a second officer confirmed it."""
CLOCK_BEHIND = 120
"""A wall clock this many seconds behind the floor is called wrong."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the machine says: wall clock and time since boot (seconds), and which boot."""

    wall: int
    boottime: int
    boot_id: bytes


class Clock(Protocol):
    """The seam: the simulator and the tests bring their own."""

    def read(self) -> Reading:
        """Read both clocks of the machine at once."""
        ...


class SystemClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        self._boot_id = bytes.fromhex(text.strip().replace("-", ""))[:8]

    def read(self) -> Reading:
        """Wall clock, CLOCK_BOOTTIME, and the kernel's boot id."""
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        return Reading(int(time.time()), int(boottime), self._boot_id)


@dataclass(frozen=True, slots=True)
class Floor:
    """A signed time, and when on this machine it was learned."""

    time: int = 0
    boottime: int = 0
    boot_id: bytes = b""

    def now(self, reading: Reading) -> int:
        """The floor plus what has certainly elapsed since, in the same boot."""
        same = self.boot_id == reading.boot_id and reading.boottime >= self.boottime
        return self.time + (reading.boottime - self.boottime if same else 0)


@dataclass(frozen=True, slots=True)
class Floors:
    """The newest time signed by an offline key, by the online key, confirmed by two officers."""

    office: Floor = Floor()
    online: Floor = Floor()
    confirmed: Floor = Floor()


WIB = 7 * 3600
"""Waktu Indonesia Barat, seconds ahead of UTC."""


def day_begins(at: int) -> int:
    """When the day of a time began at the counter (WIB), Unix seconds."""
    return (at + WIB) // DAY * DAY - WIB


class Moment(Record, frozen=True):
    """The time as an entry carries it: readings, floors and what follows from them."""

    wall: Seconds
    early: Seconds
    late: Seconds
    office: Seconds
    online: Seconds
    boottime: Seconds
    boot_id: BootId

    @property
    def clock_wrong(self) -> bool:
        """The wall clock stands before the floor: service goes on at floor time, flagged."""
        return self.wall + CLOCK_BEHIND < self.early


def judge_time(reading: Reading, floors: Floors, last: Moment | None) -> Moment:
    """Judge what time it is.

    Args:
        reading: the machine's clocks.
        floors: newest times signed by an offline key and by the online key.
        last: moment of the last committed entry, if any.
    """
    office, online = floors.office, floors.online
    trusted = max(office.time + WALL_TRUST, floors.confirmed.now(reading) + CONFIRMED_TRUST)
    committed = Floor()
    if last is not None:
        committed = Floor(min(last.early, trusted), last.boottime, last.boot_id)
    floor = max(office.time, committed.time)
    certain = max(office.now(reading), min(committed.now(reading), trusted))
    early = max(certain, min(reading.wall, max(trusted, online.time)))
    late = max(early, reading.wall, online.now(reading))
    return Moment(
        wall=max(reading.wall, 0),
        early=early,
        late=late,
        office=floor,
        online=online.time,
        boottime=reading.boottime,
        boot_id=reading.boot_id,
    )
