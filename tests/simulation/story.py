"""A story: some days of a province, told by one seed; everything that may go wrong does."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger import database
from ledger.element import RedemptionId
from ledger.entry import Entry, Pending
from ledger.errors import RolledBackError
from ledger.folder import TerminalFolder
from ledger.rights_file import FLAG_CHIP
from sync_agent.agent import sync_once
from sync_agent.errors import ForkError, ProvinceError, RefusedThereError, RoadError
from sync_agent.roads import Road
from sync_agent.stick import Stick
from sync_agent.stick_road import StickRoad
from terminal.after import Voided
from terminal.counter import Redeemed, Request
from terminal.decision import Verdict
from terminal.errors import WrongRequestError
from tests.simulation import ends, mishaps
from tests.simulation.chips import Chip, in_field, key_shown, make_chip
from tests.simulation.disk import Disk
from tests.simulation.machine import Drives, Machine
from tests.simulation.road import FAULTS, Network, ProcessRoad
from tests.simulation.thief import Thief
from tests.simulation.town import begin, keys_in_order
from tests.simulation.witness import Named, Witness
from tests.world import KEC_1, FakeClock
from virtual_card.link import InProcessLink

REDEMPTIONS = 610
STEPS_MAX = 4_000
WISHES = (
    *[Request("pangan", None, 1)] * 4, Request("pangan"), *[Request("pasar-murah")] * 3,
    *[Request("klinik", 2, 1)] * 4, *[Request("klinik", 3, 1)] * 4, Request("seragam", 3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What a story came to.

    Attributes:
        digest: of every entry seen, in order: the same story has the same.
        blind: rights given beyond what they hold of which no record is left anywhere.
        broken: the promise that did not hold; empty when all did.
    """

    seed: int
    redemptions: int
    steps: int
    faults: Counter[str]
    checked: Counter[str]
    found: Counter[str]
    blind: int
    broken: str = ""
    digest: str = ""


def has_theft(seed: int) -> bool:
    """Whether a redeem master is stolen in the story of this seed: in every second one."""
    return seed % 2 == 0


class Story:
    """One seed's town, its machines and its network."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.chance = random.Random(f"story {seed}")
        self.folder = folder
        begun = begin(folder)
        self.town = begun.town
        self.households = begun.households
        self.drives = Drives()
        self.machines: list[Machine] = []
        self.faults: Counter[str] = Counter()
        self.witness = Witness(self.town, self._quantities())
        self.network = Network(lambda: self.town.province, self.chance)
        self.chip_badness = 0.2
        self.images: dict[str, tuple[TerminalFolder, int]] = {}
        self.backups: dict[str, Path] = {}
        self.formers: list[TerminalFolder] = []
        self.cards = {(h, 1): self.town.card(h) for h in self.households}
        self.chips = {
            household: make_chip(household, kecamatan, self.town.issuer)
            for kecamatan, rows in self.town.rows.items()
            for household, row in rows.items()
            if row.flags & FLAG_CHIP
        }
        self.old_chips: dict[bytes, Chip] = {}
        self.counterfeits: list[Chip] = []
        self.thief = Thief()
        self.witness.copied = self.is_copied
        self.unfinished: set[bytes] = set()
        self.with_persons = {id for id, member, _ in self.witness.quantities if member}
        self.issue = dict.fromkeys(self.households, 1)
        self.once_held: dict[Named, Entry] = {}
        self.once_shown: dict[Named, Entry] = {}
        self.stick = folder / "stick"
        self.stick.mkdir()
        for terminal in begun.folders:
            self.add_machine(terminal)

    def add_machine(self, folder: TerminalFolder, name: str = "") -> Machine:
        """Another machine, with a disk and a clock of its own."""
        disk = Disk(self.chance)
        self.drives.plug(folder, disk)
        clock = FakeClock(self.town.clock.wall + self.chance.randrange(-90, 90))
        clock.boot_id = self.chance.randbytes(8)
        machine = Machine(name or folder.root.name, folder, clock, disk)
        self.machines.append(machine)
        return machine

    def tell(self) -> Told:
        """From the first morning to the last reckoning."""
        with self._drives_plugged(), keys_in_order(f"story {self.seed}"):
            self.network.badness, self.network.due = 0.12, set(FAULTS)
            planned = mishaps.planned(self.chance, REDEMPTIONS, theft=has_theft(self.seed))
            step = 0
            while (self.witness.redemptions < REDEMPTIONS or planned) and step < STEPS_MAX:
                step += 1
                self._step()
                while planned and planned[0][0] <= self.witness.redemptions:
                    mishaps.MISHAPS[planned.pop(0)[1]](self)
            ends.reckon(self)
        self.faults.update(self.network.seen)
        for machine in self.machines:
            self.faults.update(machine.seen)
        w = self.witness
        digest = hashlib.sha256(b"".join(leaf for _, leaf in sorted(w.entries))).hexdigest()[:16]
        return Told(
            self.seed, w.redemptions, step, self.faults, w.checked, w.found, w.blind, digest=digest
        )

    @contextmanager
    def _drives_plugged(self) -> Iterator[None]:
        kept = database.connect
        database.connect = self.drives.connect
        try:
            yield
        finally:
            database.connect = kept
            for machine in self.machines:
                machine.stop()
            self.town.province.close()

    def _step(self) -> None:
        """What most of the days are made of: families come, and now and then a road opens."""
        self.pass_time(self.chance.randrange(5, 400))
        machine = self.chance.choice(self.serving())
        family = self.chance.choice(self.households)
        if self.chance.random() < 0.75:
            machine = self.home(family) or machine
        draw = self.chance.random()
        if draw < 0.90:
            self.family_comes(machine, family)
        elif draw < 0.97:
            self.sync(machine)
        elif draw < 0.985:
            self.by_stick(machine)
        elif draw < 0.995:
            self.void_one(machine)
        else:
            machine.stop()
        self.after(machine)

    def serving(self) -> list[Machine]:
        """Machines somebody stands at."""
        return [machine for machine in self.machines if not machine.gone]

    def home(self, household: bytes) -> Machine | None:
        """A machine of the household's home terminal, if one is served at."""
        ordinal = 1 if household in self.town.rows[KEC_1] else 2
        found = [machine for machine in self.serving() if machine.whose[0] == ordinal]
        return self.chance.choice(found) if found else None

    def pass_time(self, seconds: int) -> None:
        """Time goes on for all."""
        self.town.clock.pass_time(seconds)
        for machine in self.machines:
            machine.clock.pass_time(seconds)

    def family_comes(self, machine: Machine, household: bytes | None = None) -> None:
        """A family shows a card, most often at home, now and then an old card."""
        household = household or self.chance.choice(self.households)
        issue = self.issue[household]
        if issue > 1 and self.chance.random() < 0.3:
            issue -= 1
        wish = self.chance.choice(WISHES if household in self.with_persons else WISHES[:8])
        if household in self.chips and self.chance.random() < 0.95:
            chip = self.chips[household]
            if household in self.old_chips and self.chance.random() < 0.3:
                chip = self.old_chips[household]
            self.chip_shown(machine, chip, wish)
        else:
            self.note(machine, machine.redeem(self.cards[household, issue], wish))

    def chip_shown(self, machine: Machine, chip: Chip, wish: Request) -> None:
        """A chip is laid down; with one that replaced another, two officers may agree."""
        if chip.household in self.old_chips and self.chance.random() < 0.5:
            wish = replace(wish, second="DUA")
        self.note(machine, self.chip_comes(machine, chip, wish))

    def note(self, machine: Machine, outcome: Redeemed | Verdict | None) -> None:
        """What the counter answered."""
        if isinstance(outcome, Redeemed):
            self.witness.printed(machine, outcome)
            machine.last_printed = outcome.number
        elif outcome is not None:
            self.witness.found[f"answer {getattr(outcome, 'reason', 'choose')}"] += 1

    def chip_comes(self, machine: Machine, chip: Chip, wish: Request) -> Redeemed | Verdict | None:
        """A chip is laid on the reader; one that left too early is laid there again, or not."""
        outcome = None
        for _ in range(2):
            link = in_field(chip.card, self.chance, badness=self.chip_badness)
            outcome = machine.tap(link, wish)
            chip.note()
            self.witness.key_shown(machine, chip, key_shown(link))
            torn = outcome is None or (
                isinstance(outcome, Refused) and outcome.reason is Reason.CARD_UNFINISHED
            )
            if not torn or machine.was_cut:
                return outcome
            self.faults["chip left too early" if outcome is None else "chip left unfinished"] += 1
            self.unfinished.add(chip.household)
            if isinstance(outcome, Refused):
                number = outcome.facts.redemption or ""
                self.witness.reserved(machine, int(number.rpartition("-")[2]))
            if outcome is not None and self.chance.random() < 0.5:
                break
        return outcome

    def is_copied(self, household: bytes) -> bool:
        """Whether there is a counterfeit of this family's chip."""
        return household in self.thief.families

    def void_one(self, machine: Machine) -> None:
        """Take back one that was printed; too late or twice is refused."""
        if not machine.printed:
            return
        seq = self.chance.choice(sorted(machine.printed)[-8:])
        given = self.witness.entries[RedemptionId(*machine.whose, seq), machine.printed[seq]]
        chip = self.chips.get(getattr(given.content, "household", b""))
        at_hand = isinstance(given.content, Pending) and self.chance.random() < 0.7
        if chip is not None and at_hand:
            link = in_field(chip.card, self.chance, badness=self.chip_badness)
            self.void_by_chip(machine, seq, chip, link)
            return
        try:
            if machine.void(seq):
                self.faults["void"] += 1
                self.witness.took_back(machine, seq)
            else:
                self.witness.hear_voids(machine)
        except WrongRequestError:
            self.faults["void refused"] += 1

    def void_by_chip(
        self, machine: Machine, seq: int, chip: Chip, link: InProcessLink
    ) -> Voided | None:
        """Take one back with a chip on the reader: the one that took it, or one that did not."""
        voided = None
        try:
            voided = machine.void(seq, link)
            if voided:
                self.faults["void"] += 1
                self.faults["void on a chip"] += voided.on_card
                self.witness.took_back(machine, seq)
        except WrongRequestError:
            self.faults["void refused"] += 1
        chip.note()
        if not machine.was_cut:
            self.witness.hear_voids(machine)
        return voided

    def after(self, machine: Machine) -> None:
        """What an officer does after the power came back: start, and answer the question."""
        if not machine.was_cut:
            return
        machine.was_cut = False
        counter = machine.start()
        self.witness.look_at(machine)
        state = counter.state()
        if state.asks_handover and state.last is not None:
            given = state.last.number == machine.last_printed
            machine.answer(handed_over=given)
            self.faults["hand-over asked"] += 1
            self.witness.look_at(machine)

    def sync(self, machine: Machine, road: Road | None = None) -> bool:
        """The agent's turn, then the terminal's look into its box; False when the road failed."""
        done = True
        try:
            machine.sync(road or ProcessRoad(self.network, machine.folder))
        except ForkError as error:
            self.accused(machine, str(error))
            return False
        except RefusedThereError as error:
            self.faults[f"refused: {error.code}"] += 1
            done = False
        except (RoadError, ProvinceError):
            self.faults["road failed"] += 1
            done = False
        try:
            if machine.take_in_box() is not None:
                self.witness.look_at(machine)
        except RolledBackError as error:
            self.accused(machine, str(error))
            return False
        self.after(machine)
        return done

    def by_stick(self, machine: Machine) -> None:
        """Somebody carries a stick there and back; now and then it is damaged on the way.

        As often as not it was emptied before, as sticks are that are used for other things, too.
        """
        if self.chance.random() < 0.5:
            shutil.rmtree(self.stick)
            self.stick.mkdir()
        stick, whose = Stick(self.stick), machine.whose
        key = self.town.log.public
        self.sync(machine, StickRoad(stick, terminal=whose[0], epoch=whose[1], seal_to=key))
        mishaps.damage(self, self.stick)
        mishaps.carry(self, stick)
        if not machine.gone:
            self.sync(machine, StickRoad(stick, terminal=whose[0], epoch=whose[1], seal_to=key))
        self.faults["stick"] += 1

    def accused(self, machine: Machine, told: str) -> None:
        """The province holds another history: the machine is kept, its point gets a new epoch."""
        self.witness.say(
            "no false accusation", machine.shared, f"{machine.name} is honest, and told: {told}"
        )
        self.faults["fork told"] += 1
        machine.stop()
        machine.gone = True
        ordinal = machine.whose[0]
        if not any(one.whose[0] == ordinal for one in self.serving()):
            self.replace(ordinal)

    def replace(self, ordinal: int) -> Machine:
        """A new epoch for a terminal: new key, empty journal, the newest release."""
        folder = self.town.new_epoch(ordinal)
        self.release()
        machine = self.add_machine(folder)
        self.faults["new epoch"] += 1
        return machine

    def hand_in_former(self, folder: TerminalFolder) -> None:
        """The chain of an earlier epoch goes to the province by a stick that is not damaged.

        Twice: if the province was put back from a copy meanwhile, it asks for more on the way back.
        """
        path = self.folder / "careful-stick"
        path.mkdir(exist_ok=True)
        stick, config = Stick(path), folder.config
        road = StickRoad(
            stick, terminal=config.ordinal, epoch=config.epoch, seal_to=self.town.log.public
        )
        for _ in range(2):
            sync_once(folder, road, now=self.town.clock.wall)
            mishaps.carry(self, stick)

    def release(self) -> None:
        """The office signs and the province takes it."""
        self.town.province.release(self.town.sign_release())

    def _quantities(self) -> dict[tuple[bytes, int, int], int]:
        found: dict[tuple[bytes, int, int], int] = {}
        for rows in self.town.rows.values():
            for id, row in rows.items():
                found[id, 0, 1] = row.class_number
                found[id, 0, 2] = 1
                for right in row.members:
                    found[id, right.member, right.programme] = right.quantity
        return found
