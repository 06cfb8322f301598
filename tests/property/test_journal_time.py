"""Time over any sequence of entries, walls, reboots and signed times, on a real journal."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from card_codec.keys import PrivateKey
from ledger.clock import WALL_TRUST, Floor, Floors, Moment, judge_time
from ledger.entry import Handover
from ledger.floors import raise_floor
from ledger.journal import Identity, create_journal
from ledger.policy import DAY
from tests.memory import MEMORY
from tests.world import NOW, FakeClock

KEY = PrivateKey.generate()
SPAN = st.integers(0, 20 * DAY)
WALL = st.one_of(
    st.integers(NOW - 400 * DAY, NOW + 400 * DAY), st.sampled_from([0, NOW, NOW + 10_000 * DAY])
)


class Time(RuleBasedStateMachine):
    """The clock does what it likes; entries are committed now and then."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="khb-time-", dir=MEMORY))
        identity = Identity(1, 1, KEY.public)
        self.journal = create_journal(self.folder / "journal.db", identity)
        self.clock = FakeClock(NOW)
        self.last: Moment | None = None

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            shutil.rmtree(self.folder)

    @rule(seconds=SPAN)
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_time(seconds)

    @rule(wall=WALL)
    def wall_is_set(self, wall: int) -> None:
        self.clock.wall = wall

    @rule(wall=WALL)
    def machine_restarts(self, wall: int) -> None:
        self.clock.reboot(wall=wall)

    @rule(time=WALL, name=st.sampled_from(["office", "online"]))
    def signed_time_comes(self, time: int, name: str) -> None:
        reading = self.clock.read()
        with self.journal.act() as act:
            raise_floor(act.connection, name, Floor(time, reading.boottime, reading.boot_id))

    @rule()
    def entry_is_committed(self) -> None:
        floors = self.journal.floors()
        with self.journal.act() as act:
            moment = judge_time(self.clock.read(), floors, act.head.moment)
            act.append(Handover(1), moment=moment, ledger=1, officer="UJI", signer=KEY)
        if self.last is not None:
            # What was signed offline bounds how far a wrong wall can be carried on.
            assert moment.early >= min(self.last.early, floors.office.time + WALL_TRUST)
            assert moment.office >= self.last.office
            assert moment.online >= self.last.online
        self.last = moment

    @precondition(lambda self: self.last is not None)
    @rule()
    def journal_is_opened_anew(self) -> None:
        self.journal._head = None
        assert self.journal.head().moment == self.last

    @invariant()
    def early_is_proved_and_late_is_not_before_it(self) -> None:
        if not hasattr(self, "journal"):
            return
        reading, floors = self.clock.read(), self.journal.floors()
        office, online = floors.office, floors.online
        moment = judge_time(reading, floors, self.last)
        trusted = office.time + WALL_TRUST
        assert moment.early >= office.now(reading)
        assert moment.early <= max(trusted, office.now(reading), min(reading.wall, online.time))
        assert moment.late >= max(moment.early, reading.wall, online.now(reading))
        without = judge_time(reading, Floors(office, Floor()), self.last)
        assert moment.early <= max(without.early, min(reading.wall, online.time))
        if reading.wall <= trusted:
            assert moment.early == without.early


TestTime = Time.TestCase
TestTime.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
