"""A realistic day at one service point, lived through a real counter."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from ledger.clock import Reading
from ledger.entry import Content, Kind, Opened, Presented, Void
from ledger.folder import TerminalFolder
from ledger.install import now_here
from ledger.journal import open_journal
from ledger.rights_file import MemberRight
from terminal.counter import Counter, Presentation, Request
from tests.world import KEC_2, FakeClock, World

FAMILIES = 450
PERSONS = (MemberRight(2, 3, 6), MemberRight(3, 3, 6), MemberRight(4, 4, 1))
ROADS = (Presented.PICTURE, Presented.TEXT)


@dataclass(frozen=True, slots=True)
class Family:
    """A household with a paper card."""

    household: bytes
    card: str


class TwoClocks(FakeClock):
    """Wall and boot clock begin their seconds at different times, as in a real machine."""

    part = 0.0

    def pass_moments(self, seconds: float) -> None:
        """Both run on."""
        self.part += seconds
        whole = int(self.part)
        self.part -= whole
        self.pass_time(whole)

    def read(self) -> Reading:
        """Whole seconds of each."""
        return Reading(self.wall, self.boottime + int(self.part + 0.37), self.boot_id)


class Day:
    """One terminal of a village office with parcels, a clinic and a market, over some days.

    People come every half a minute to every few minutes; some come for two things, some to a
    clinic, some twice for the same, some with a card of elsewhere; an officer looks first, and
    now and then takes one back. The journal is what the counter writes, nothing else.
    """

    def __init__(self, folder: Path, *, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.world = World(folder / "world")
        self.clock = self.world.clock = TwoClocks()
        self.families = [self._family(n) for n in range(FAMILIES)]
        strangers = [self.world.household(f"jauh {n}", kecamatan=KEC_2) for n in range(20)]
        self._away = [Family(id, self.world.card(id)) for id in strangers]
        self.terminal: TerminalFolder = self.world.terminal("Loket 1", away=10)
        self.world.terminal("Loket 2", home=KEC_2)
        self.world.publish()
        self.world.bring(self.terminal)
        self.counter: Counter = self.world.counter(self.terminal)
        self.counter.take_in_box()
        shutil.rmtree(self.terminal.in_box)

    def live(self, redemptions: int) -> None:
        """Serve until so many redemptions stand in the journal."""
        waiting = list(self.families)
        self._random.shuffle(waiting)
        served: list[Family] = []
        given = 0
        while given < redemptions and waiting:
            self.clock.pass_moments(self._random.uniform(25, 240))
            family = waiting.pop()
            given += self._come(family, served)
            served.append(family)
            if len(served) % 60 == 0:
                self._next_morning()

    def _come(self, family: Family, served: list[Family]) -> int:
        chance, given = self._random.random(), 0
        if chance < 0.06 and served:  # the second time for the same
            self._ask(self._random.choice(served), "pangan")
        elif chance < 0.09 and self._away:
            given += self._ask(self._away.pop(), "pangan")
        given += self._ask(family, "pangan")
        if chance > 0.75:
            self.clock.pass_moments(self._random.uniform(5, 30))
            given += self._ask(family, "pasar-murah")
        if chance > 0.85:
            self.clock.pass_moments(self._random.uniform(60, 600))
            given += self._ask(family, "klinik", member=self._random.choice((2, 3)))
        if chance < 0.01:
            self._void()
        return given

    def _void(self) -> None:
        last = self.counter.state().last
        if last is not None:
            seq = int(last.number.rpartition("-")[2])
            self._record(Void(seq, "salah ambil", "PW"))

    def _record(self, content: Content) -> None:
        """What the counter's other screens record."""
        journal = open_journal(self.terminal.journal)
        try:
            moment = now_here(journal, self.world.clock.read())
            with journal.act() as act:
                act.append(
                    content, moment=moment, ledger=1, officer="UJI", signer=self.terminal.signer()
                )
        finally:
            journal.close()

    def _ask(self, family: Family, programme: str, member: int | None = None) -> int:
        shown = Presentation(family.card, self._random.choice(ROADS))
        before = self.counter.state().seq
        self.counter.redeem(shown, Request(programme, member))
        return sum(kind is Kind.REDEMPTION for kind in self._kinds(before))

    def _kinds(self, after: int) -> list[Kind]:
        journal = open_journal(self.terminal.journal, reading=True)
        try:
            return [kind for _, kind, _ in journal.kinds(after)]
        finally:
            journal.close()

    def _next_morning(self) -> None:
        self.clock.reboot(wall=self.clock.wall + 16 * 3600)
        self.counter.close()
        self.counter = self.world.counter(self.terminal)
        self._record(Opened("Balai Loket 1"))

    def _family(self, number: int) -> Family:
        id = self.world.household(f"keluarga {number}", members=PERSONS)
        return Family(id, self.world.card(id))
