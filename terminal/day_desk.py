"""The day at a serving counter: its key opened by the PIN and wiped; its clock confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.clock import Clock
from ledger.custody import open_day
from ledger.day_room import DayRoom
from terminal.counter import Counter


@dataclass(frozen=True, slots=True)
class DayDesk:
    """One counter, the place in memory where its day's key lies, and the machine's clock."""

    counter: Counter
    room: DayRoom
    clock: Clock

    def is_open(self) -> bool:
        """Whether families are called by name."""
        return self.room.key(self.clock.read()) is not None

    def now(self) -> int:
        """What the machine's clock says, Unix seconds."""
        return self.clock.read().wall

    def open(self, pin: str) -> None:
        """Unlock the day's key.

        Raises:
            WrongPinError: not the PIN, or too many wrong ones were tried.
            CustodyError: this terminal has no sealing key, or it is damaged.
        """
        open_day(self.counter.folder, self.room, pin, self.clock.read())

    def close(self) -> None:
        """Wipe the key, whatever may fail afterwards; then record the day's totals.

        Raises:
            NotSavedError: the disk refused the totals; the key is gone all the same.
        """
        self.room.wipe()
        self.counter.let_go()
        self.counter.close_day()

    def confirm_clock(self, second: str) -> None:
        """Record that two officers found the clock right.

        Raises:
            WrongRequestError: nobody else agreed, or it stands before the last publication.
        """
        self.counter.confirm_clock(second=second)
