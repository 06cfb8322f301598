"""A machine with a terminal on it: its disk, its clock, its process, and what it was seen to do."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter as Tally
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from card_codec.chip.apdu import CardLink
from card_codec.chip.errors import ChipLinkError
from ledger import database
from ledger.chip_keys import oldest_generations
from ledger.day_room import DayRoom
from ledger.element import RedemptionId, Right
from ledger.entry import Entry, read_entry
from ledger.errors import JournalError, NotSavedError
from ledger.folder import TerminalFolder, open_folder
from ledger.install import Installed
from sync_agent.agent import Report, sync_once
from sync_agent.roads import Road
from terminal.after import Voided
from terminal.counter import Counter, Presentation, Redeemed, Request, open_counter
from terminal.decision import Verdict
from tests.simulation.chips import open_day
from tests.simulation.disk import Disk
from tests.world import FakeClock

T = TypeVar("T")
Row = tuple[Any, ...]
ELEMENTS = (
    "SELECT household, member, programme, window, terminal, epoch, seq, leaf, quantity FROM element"
)


PLENTY = 1 << 40
PLAIN = database.connect
"""Of a machine that is still being made."""


class Drives:
    """Which disk a path lies on: what ``ledger.database.connect`` is replaced by."""

    def __init__(self) -> None:
        self._disks: dict[Path, Disk] = {}

    def plug(self, folder: TerminalFolder, disk: Disk) -> None:
        """Everything under this folder lies on that disk."""
        self._disks[folder.root] = disk

    def connect(self, path: Path, *, reading: bool) -> sqlite3.Connection:
        """Open a database on the disk it lies on."""
        disk = self._disks.get(path.parent.resolve())
        return disk.connect(path, reading=reading) if disk else PLAIN(path, reading=reading)


@dataclass
class Machine:
    """One machine.

    Attributes:
        folder: of the terminal that runs here.
        gone: stolen, lost or put aside: nobody serves with it any more.
        shared: another machine has, or had, the same key and epoch: they may diverge.
        printed: what was said to be given here and must be in this journal, by number.
        views: every element this machine has been seen to know, with its quantity, by right.
        known: the same as rows of its table.
        bodies: its journal as it was last looked at.
        leaves: of the redemptions in it whose goods may be handed over, by number.
        newest: *early* of the last entry of it.
        early: the newest time it committed.
        silent: its disk does not say how full it is.
        oldest: generations of redeem masters that count, by the ledger it last served a chip by.
    """

    name: str
    folder: TerminalFolder
    clock: FakeClock
    disk: Disk
    counter: Counter | None = None
    gone: bool = False
    stolen: bool = False
    shared: bool = False
    printed: dict[int, bytes] = field(default_factory=dict)
    views: dict[Right, dict[tuple[RedemptionId, bytes], int]] = field(default_factory=dict)
    known: set[Row] = field(default_factory=set)
    voided: set[RedemptionId] = field(default_factory=set)
    early: int = 0
    was_cut: bool = False
    silent: bool = True
    last_printed: str = ""
    oldest: dict[str, int] = field(default_factory=dict)
    seen: Tally[str] = field(default_factory=Tally)
    bodies: list[bytes] = field(default_factory=list)
    leaves: dict[int, bytes] = field(default_factory=dict)
    newest: int = 0
    _read: dict[bytes, Entry] = field(default_factory=dict)

    @property
    def whose(self) -> tuple[int, int]:
        """(terminal, epoch)."""
        return self.folder.config.ordinal, self.folder.config.epoch

    def start(self) -> Counter:
        """Switch on and open for service."""
        if self.counter is None:
            self.counter = open_counter(
                self.folder, clock=self.clock, serving=True, free=self.free, room=self.room
            )
        return self.counter

    @property
    def room(self) -> DayRoom:
        """Where the day's key lies while it is open."""
        return DayRoom(self.folder.root.parent / ".memory" / self.folder.root.name)

    def free(self, folder: Path) -> int:
        """Room on this disk, as it says; a disk may also be full without having said so."""
        return PLENTY if self.disk.faults.room is None or self.silent else 0

    def redeem(self, text: str, request: Request) -> Redeemed | Verdict | None:
        """Show a card; None when the machine died or the disk refused: nobody was told a word."""
        return self._served(lambda counter: counter.redeem(Presentation(text), request))

    def tap(self, link: CardLink, request: Request) -> Redeemed | Verdict | None:
        """Lay a chip on the reader; None also when it left before anything was recorded."""
        open_day(self.folder, self.room, self.clock.read())

        def act(counter: Counter) -> Redeemed | Verdict | None:
            policy = counter.policy
            self.oldest = oldest_generations(policy.chip_keys) if policy else {}
            try:
                tap = counter.tap(link)
            except ChipLinkError:
                return None
            return counter.redeem(Presentation.of_tap(tap), request)

        return self._served(act)

    def void(self, seq: int, link: CardLink | None = None) -> Voided | None:
        """Take one back, its chip on the reader if it is at hand; None when nobody was told so."""
        if link is not None:
            open_day(self.folder, self.room, self.clock.read())

        def act(counter: Counter) -> Voided | None:
            try:
                tap = None if link is None else counter.tap(link)
            except ChipLinkError:
                return None
            return counter.void(seq, reason="salah", second="DUA", tap=tap)

        return self._served(act)

    def exposed(self) -> int | None:
        """Rupiah that counterfeit chips could take here, as the product computes it."""
        return self._served(lambda counter: counter.exposure().chips)

    def answer(self, *, handed_over: bool) -> None:
        """Answer the question after a restart."""
        self._served(lambda counter: counter.answer_handover(handed_over=handed_over, second="DUA"))

    def take_in_box(self) -> Installed | None:
        """Look into the in-box."""
        return self._served(lambda counter: counter.take_in_box())

    def _served(self, act: Callable[[Counter], T]) -> T | None:
        answer: T | None
        try:
            answer = act(self.start())
        except NotSavedError:
            self.seen["disk full"] += not self.disk.off
            answer = None
        except JournalError:
            if not self.disk.off:
                raise
            answer = None
        if self.disk.off:  # whatever was answered, nobody heard it
            self.cut()
            return None
        return answer

    def sync(self, road: Road) -> Report:
        """The agent's turn."""
        with closing(road):
            return sync_once(self.folder, road, now=self.clock.wall)

    def stop(self) -> None:
        """Switch off in order."""
        if self.counter is not None:
            self.counter.close()
            self.counter = None

    def cut(self) -> None:
        """The power goes. What the process held is gone, and what the disk had not synced."""
        self.was_cut = True
        self.seen["power cut"] += 1
        self.disk.cut()
        self.counter = None
        self.room.wipe()
        self.clock.reboot(wall=self.clock.wall)

    def image(self, to: Path) -> TerminalFolder:
        """Copy everything of this machine, keys and all, while it is switched off."""
        self.stop()
        shutil.copytree(self.folder.root, to, symlinks=True)
        return open_folder(to)

    def rows(self, sql: str) -> list[Row]:
        """Look at the journal on the disk with other eyes than the product's."""
        with closing(self.disk.connect(self.folder.journal, reading=True)) as db:
            return db.execute(sql).fetchall()

    def knows(self, right: Right, name: tuple[RedemptionId, bytes], quantity: int) -> None:
        """Note an element that this machine knows from now on."""
        self.views.setdefault(right, {})[name] = quantity
        id, leaf = name
        of = (right.household, right.member, right.programme, right.window)
        self.known.add((*of, id.terminal, id.epoch, id.seq, leaf, quantity))

    def forgets(self) -> None:
        """It is another disk from now on: nothing is known of it yet."""
        self.views, self.known = {}, set()

    def entries(self) -> list[Entry]:
        """Every entry of the journal here."""
        return [self.entry(body) for (body,) in self.rows("SELECT body FROM entry ORDER BY seq")]

    def news(self) -> list[Entry]:
        """Entries since the last look; the whole journal if it is not the same as it was."""
        bodies = [body for (body,) in self.rows("SELECT body FROM entry ORDER BY seq")]
        seen = len(self.bodies)
        if bodies[:seen] != self.bodies:
            seen, self.leaves, self.newest = 0, {}, 0
        self.bodies = bodies
        return [self.entry(body) for body in bodies[seen:]]

    def entry_at(self, seq: int) -> Entry | None:
        """An entry as it was last looked at; numbers are places but for what was deleted."""
        body = self.bodies[seq - 1] if 0 < seq <= len(self.bodies) else None
        entry = self.entry(body) if body is not None else None
        return entry if entry is not None and entry.body.seq == seq else None

    def entry(self, body: bytes) -> Entry:
        """An entry of its bytes; what was read once is not read again."""
        if body not in self._read:
            self._read[body] = read_entry(body)
        return self._read[body]
