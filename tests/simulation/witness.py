"""The witness: sees everything from outside, believes no code of ours, and says what must hold."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from card_codec.chip.khb1_files import HOME_KEYS
from card_codec.chip.record import CardRecord
from card_codec.qr.text import read_text
from ledger.element import Element, RedemptionId, Right
from ledger.entry import (
    CARD_LEAF,
    Basis,
    Commit,
    Entry,
    Kind,
    Pending,
    Redemption,
    Void,
    read_entry,
)
from ledger.fsck import check_journal
from ledger.receipt import PREFIX, SIGNATURE_SIZE
from sync_agent.batch import read_batch
from sync_agent.province import schema
from sync_agent.province.province import Province
from terminal.counter import Redeemed
from tests.simulation.chips import Chip
from tests.simulation.machine import ELEMENTS, Machine
from tests.simulation.town import Town

Named = tuple[RedemptionId, bytes]
"""An entry by its id and leaf hash: two leaves under one id are two things that happened."""


class BrokenPromiseError(Exception):
    """An invariant does not hold."""


@dataclass
class Witness:
    """What was seen.

    Attributes:
        entries: every entry ever seen on any machine or slip.
        checked: how often each invariant was looked at.
        by_chip: what was handed over by each chip, by its UID and the right.
        begun: what a chip that replaces another began with, by its UID.
        copied: whether there are counterfeits of a family's chip.
    """

    town: Town
    quantities: dict[tuple[bytes, int, int], int]
    entries: dict[Named, Entry] = field(default_factory=dict)
    voids: set[Named] = field(default_factory=set)
    checked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    brought: dict[int, set[Named]] = field(default_factory=dict)
    by_chip: dict[tuple[bytes, Right], dict[Named, int]] = field(default_factory=dict)
    begun: dict[bytes, tuple[CardRecord, ...]] = field(default_factory=dict)
    copied: Callable[[bytes], bool] = lambda household: False
    blind: int = 0
    redemptions: int = 0

    def printed(self, machine: Machine, redeemed: Redeemed) -> None:
        """A slip came out: it must be in the journal from now on, and within what was known."""
        data = read_text(redeemed.receipt, PREFIX, length_max=2000)
        entry = read_entry(data[:-SIGNATURE_SIZE])
        self._seen(entry)
        element = entry.element()
        assert element is not None
        settled = machine.printed.get(entry.body.seq) == entry.leaf
        is_newest = entry.body.seq > max(machine.printed, default=0)
        machine.printed[entry.body.seq] = entry.leaf
        self.redemptions += not settled
        if isinstance(entry.content, Pending):
            self.hear_voids(machine)
            self._given_by_chip(entry, entry.content.uid, element)
        if not redeemed.recovered:  # what a chip settles by now was decided long ago
            self._within(machine, entry, element)
        machine.knows(element.right, (entry.id, entry.leaf[:8]), element.quantity)
        if is_newest:  # a chip may settle by now what was recorded long ago
            self._time_rises(machine, entry)

    def reserved(self, machine: Machine, seq: int) -> None:
        """A chip left before it had answered: what is pending counts, and was within, too."""
        self.hear_voids(machine)
        for (body,) in machine.rows(f"SELECT body FROM entry WHERE seq = {seq}"):
            entry = machine.entry(body)
            element = entry.element()
            if element is not None:
                self._within(machine, entry, element)
                machine.knows(element.right, (entry.id, entry.leaf[:8]), element.quantity)

    def _within(self, machine: Machine, entry: Entry, element: Element) -> None:
        known = machine.views.setdefault(element.right, {})
        taken = self._taken(machine, known) - known.get((entry.id, entry.leaf[:8]), 0)
        owed = self.quantity(element.right)
        self.say(
            "nothing is given beyond what this terminal knows",
            taken + element.quantity <= owed,
            f"{machine.name} gave {entry.id.number()} of {element.right.text()}: {taken} of {owed}"
            " were taken, as it knew",
        )

    def _taken(self, machine: Machine, known: dict[Named, int]) -> int:
        """What a terminal must count, each redemption once by whichever road it is known.

        A void from elsewhere may have come with the usage; one that nobody made counts nowhere.
        """
        whole = {id for id, leaf in known if leaf != CARD_LEAF}
        return sum(
            quantity
            for (id, leaf), quantity in known.items()
            if not (leaf == CARD_LEAF and id in whole)
            and id not in machine.voided
            and (id, b"") not in self.voids
        )

    def hear_voids(self, machine: Machine) -> None:
        """A tap may first have said of an earlier one that its card never committed it."""
        voids = machine.rows(f"SELECT body FROM entry WHERE kind = {int(Kind.VOID)}")
        for (body,) in voids:
            entry = machine.entry(body)
            if isinstance(entry.content, Void):
                self.took_back(machine, entry.content.seq)

    def begins(self, chip: Chip) -> None:
        """A chip that replaces another: what it says was taken counts on it."""
        self.begun[chip.uid] = chip.opening

    def key_shown(self, machine: Machine, chip: Chip, number: int | None) -> None:
        """A card was asked for a key; that of a retired generation says nothing any more."""
        if number in HOME_KEYS:
            oldest = machine.oldest.get(chip.kecamatan, 1)
            self.found[f"chip asked for its key of generation {number}"] += 1
            self.say(
                "a retired generation opens no chip",
                number >= oldest,  # every chip here begins with the first
                f"{machine.name} asked for generation {number}; from {oldest} on they count",
            )

    def _given_by_chip(self, entry: Entry, uid: bytes, element: Element) -> None:
        """Goods went over the counter by a chip: none gives more than its right, anywhere.

        Of counterfeits it is `thief` that tells.
        """
        right = element.right
        given = self.by_chip.setdefault((uid, right), {})
        given[entry.id, entry.leaf] = element.quantity
        if self.copied(right.household):
            return
        self._given_to_family(entry, right)
        total = sum(q for (id, _), q in given.items() if (id, b"") not in self.voids)
        for one in self.begun.get(uid, ()):
            id = RedemptionId(one.terminal, one.epoch, one.seq)
            same = Right(right.household, one.member, one.programme, one.window) == right
            total += one.quantity if same and (id, b"") not in self.voids else 0
        self.say(
            "no chip is given twice",
            total <= self.quantity(right),
            f"{entry.id.number()} of {right.text()}: {total} in all, by chip",
        )

    def _given_to_family(self, entry: Entry, right: Right) -> None:
        """By all its chips together: a chip that replaced another is one of two."""
        given = [
            (name, quantity)
            for (_, of), elements in self.by_chip.items()
            if of == right
            for name, quantity in elements.items()
            if (name[0], b"") not in self.voids
        ]
        alone = sum(quantity for name, quantity in given if not self._by_two(self.entries[name]))
        self.say(
            "no family is given twice by chip unless two officers agreed",
            alone <= self.quantity(right),
            f"{entry.id.number()} of {right.text()}: {alone} in all, by its chips",
        )
        if isinstance(entry.content, Pending) and entry.content.issue > 1:
            by = "two officers" if self._by_two(entry) else "itself"
            self.found[f"replacement chip served by {by}"] += 1
        if sum(quantity for _, quantity in given) > self.quantity(right):
            self.found["given twice by chip where two officers agreed"] += 1

    @staticmethod
    def _by_two(entry: Entry) -> bool:
        return isinstance(entry.content, Pending) and entry.content.basis == Basis.EXCEPTION

    def took_back(self, machine: Machine, seq: int) -> None:
        """A void was said to be durable."""
        machine.voided.add(RedemptionId(*machine.whose, seq))
        self.voids.add((RedemptionId(*machine.whose, seq), b""))

    def brought_back(self, machine: Machine, copy: Path) -> None:
        """A copy was brought back: all it holds counts as taken from the first act on."""
        with closing(sqlite3.connect(copy)) as db:
            entries = [read_entry(body) for (body,) in db.execute("SELECT body FROM entry")]
        names = {(entry.id, entry.leaf) for entry in entries}
        self.brought.setdefault(machine.whose[0], set()).update(names)
        for entry in entries:
            if isinstance(entry.content, Void):
                machine.voided.add(
                    RedemptionId(entry.id.terminal, entry.id.epoch, entry.content.seq)
                )
            element = entry.element()
            if element is not None:
                machine.knows(element.right, (entry.id, entry.leaf[:8]), element.quantity)
        self.look_at(machine)

    def look_at(self, machine: Machine) -> None:
        """After a restart or a look into the box: nothing is gone, everything new is noted."""
        new = machine.news()
        machine.leaves |= committed(new, machine.entry_at)
        lost = sorted(seq for seq, _ in machine.printed.items() - machine.leaves.items())
        self.say(
            "what was printed is in the journal",
            not lost,
            f"{machine.name} printed {lost[:3]}, which its journal does not hold",
        )
        for entry in new:
            self._seen(entry)
            if isinstance(entry.content, Void):
                self.took_back(machine, entry.content.seq)
        self._views(machine)
        self._rises(machine, new)

    def _views(self, machine: Machine) -> None:
        held = set(machine.rows(ELEMENTS))
        gone = [RedemptionId(*row[4:7]) for row in machine.known - held]
        self.say(
            "a terminal never loses an element",
            not gone,
            f"{machine.name} no longer knows {[id.number() for id in gone[:3]]}",
        )
        for household, member, programme, window, t, e, s, leaf, quantity in held - machine.known:
            right = Right(household, member, programme, window)
            machine.knows(right, (RedemptionId(t, e, s), leaf), quantity)

    def _rises(self, machine: Machine, new: list[Entry]) -> None:
        times = [machine.newest, *(entry.body.moment.early for entry in new)]
        self.say(
            "early never falls",
            times == sorted(times),
            f"{machine.name} has an entry that is earlier than the one before it",
        )
        machine.newest = times[-1]

    def _time_rises(self, machine: Machine, entry: Entry) -> None:
        early = entry.body.moment.early
        self.say(
            "early never falls",
            early >= machine.early,
            f"{machine.name} recorded {entry.id.number()} {machine.early - early} s early",
        )
        machine.early = early

    def _seen(self, entry: Entry) -> None:
        self.entries[entry.id, entry.leaf] = entry
        if isinstance(entry.content, Void):
            whose = entry.id
            self.voids.add((RedemptionId(whose.terminal, whose.epoch, entry.content.seq), b""))

    def quantity(self, right: Right) -> int:
        """What a right holds, by the roster as it was written."""
        for_person = self.quantities.get((right.household, right.member, right.programme))
        return for_person or 0

    def province_holds(self, province: Province) -> dict[Named, Entry]:
        """Every entry in the province's log."""
        with province._store.reading() as db:
            rows = db.execute(select(schema.entry.c.body)).all()
        found = [read_entry(row.body) for row in rows]
        return {(entry.id, entry.leaf): entry for entry in found}

    def evidence(self, province: Province) -> dict[Named, Entry]:
        """Every entry of the diverging branches the province keeps."""
        with province._store.reading() as db:
            rows = db.execute(select(schema.fork.c.batch)).all()
        found = [entry for row in rows for entry in entries_of(read_batch(row.batch))]
        return {(entry.id, entry.leaf): entry for entry in found}

    def fsck(self, machine: Machine) -> None:
        """Everything of a journal derived again."""
        machine.stop()
        terminal, epoch = machine.whose
        key = machine.folder.signer().public
        checked = check_journal(machine.folder.journal, terminal=terminal, epoch=epoch, key=key)
        # A diverging branch hears of its other half through usage: that is no fault of the file.
        faults = [f for f in checked.faults if not (machine.shared and "the province knows" in f)]
        self.say("fsck finds nothing", not faults, f"{machine.name}: {faults[:2]}")

    def say(self, invariant: str, holds: bool, told: str) -> None:
        """Count an invariant that was looked at; raise when it does not hold."""
        self.checked[invariant] += 1
        if not holds:
            raise BrokenPromiseError(f"{invariant}: {told}")


def committed(
    entries: Iterable[Entry], at: Callable[[int], Entry | None] = lambda seq: None
) -> dict[int, bytes]:
    """Leaves of the redemptions of which goods may be handed over, by number.

    Args:
        entries: of one chain, in their order.
        at: finds one that came before them.
    """
    found: dict[int, bytes] = {}
    pending: dict[int, Entry] = {}
    for entry in entries:
        if isinstance(entry.content, Redemption):
            found[entry.body.seq] = entry.leaf
        elif isinstance(entry.content, Pending):
            pending[entry.body.seq] = entry
        elif isinstance(entry.content, Commit):
            seq = entry.content.seq
            before = pending.get(seq) or at(seq)
            if before is not None:
                found[seq] = before.leaf
    return found


def entries_of(batch: Any) -> list[Entry]:
    """Entries of a batch."""
    return [one if isinstance(one, Entry) else read_entry(one) for one in batch.entries]


def ordered(claims: list[Entry], home: int | None, signed: Mapping[Named, int]) -> list[Entry]:
    """The order in which claims count, told once more in the witness's own words.

    Args:
        claims: of one right.
        home: its home terminal.
        signed: what is known of their chips: 0 signed by them, 2 not; 1 where nothing is.
    """

    def place(entry: Entry) -> tuple[int, int, bytes]:
        content = entry.content
        assert isinstance(content, Redemption | Pending)
        known = signed.get((entry.id, entry.leaf), 1)
        if entry.id.terminal == home:
            return known, 0, entry.leaf
        return known, (2 if content.basis == Basis.EXCEPTION else 1), entry.leaf

    return sorted(claims, key=place)
