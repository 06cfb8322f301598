"""A thief with the redeem master of a kecamatan: counterfeit chips, and what they may cost.

The first generation of one kecamatan is stolen: with it a chip can be made that opens as that of a
real family, remembers what the thief likes and can be laid on one isolated terminal after the
other. What they take there was exposed, and said so by ``exposure``; what is given twice by it is
found where a record is left; and once a terminal has the ledger that retires the generation,
nothing is given by them there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.element import Right
from ledger.entry import Entry, Kind, Pending
from terminal.counter import Redeemed, Request
from terminal.errors import WrongRequestError
from tests.simulation.chips import Chip, Forgery, counterfeit
from tests.simulation.machine import Machine
from tests.simulation.witness import Named

if TYPE_CHECKING:
    from tests.simulation.story import Story

TWICE, EXPOSED = "counterfeit: rupiah given twice", "counterfeit: rupiah exposed there"
AFTER = "counterfeit chip of a retired generation"
FAMILIES, MACHINES = 5, 3
"""Laid on so many terminals at a time: the counterfeits of so many families."""
WORTH = {1: 150_000, 2: 140_000}
"""Rupiah of one unit of each programme that is written on chips."""
WISHES = (Request("pangan"), Request("pangan", None, 1), Request("pasar-murah"))


@dataclass
class Thief:
    """What is stolen, and what was taken with it.

    Attributes:
        kecamatan: whose first redeem master is stolen; empty while none is.
        families: of which counterfeits were made.
        given: what was given for a counterfeit, rupiah, by machine.
        exposed: what could be taken so on each machine by its own word: when the first counterfeit
            was laid there, and what has come free there since (voids, a disk put back).
        now: what its last word was.
    """

    kecamatan: str = ""
    families: set[bytes] = field(default_factory=set)
    given: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    exposed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    now: dict[str, int] = field(default_factory=dict)


def come(story: Story) -> None:
    """Counterfeits of some families are laid on some terminals, one after the other."""
    thief = story.thief
    copied = [
        chip for chip in story.chips.values()
        if chip.kecamatan == thief.kecamatan and story.issue[chip.household] == 1
    ]  # fmt: skip
    serving = story.serving()
    families = story.chance.sample(copied, min(FAMILIES, len(copied)))
    for machine in story.chance.sample(serving, min(MACHINES, len(serving))):
        for genuine in families:
            if machine.gone:
                break
            thief.families.add(genuine.household)
            made = counterfeit(genuine, story.chance.choice(list(Forgery)))
            story.counterfeits.append(made)
            lay(story, machine, made)
            story.after(machine)
            if story.chance.random() < 0.3:  # the family itself comes there too
                story.family_comes(machine, genuine.household)
                story.after(machine)


def come_last(story: Story) -> None:
    """When every terminal has met the province, counterfeits are laid on each of them."""
    thief = story.thief
    copied = [story.chips[one] for one in sorted(thief.families) if story.issue[one] == 1]
    for machine in story.serving():
        for genuine in copied[:2]:
            made = counterfeit(genuine, story.chance.choice(list(Forgery)))
            story.counterfeits.append(made)
            lay(story, machine, made)


def lay(story: Story, machine: Machine, chip: Chip) -> None:
    """One counterfeit on one reader."""
    witness, thief = story.witness, story.thief
    before, voids = _exposed(machine), _voids(machine)
    if before is not None:
        thief.exposed[machine.name] += max(0, before - thief.now.get(machine.name, 0))
        thief.now[machine.name] = before
    wish = story.chance.choice(WISHES)
    outcome = story.chip_comes(machine, chip, wish)
    story.faults["counterfeit chip"] += 1
    is_retired = machine.oldest.get(chip.kecamatan, 1) > 1
    can_ask = any(
        of == chip.kecamatan and number >= machine.oldest.get(of, 1)
        for of, number in story.town.masters_at(machine.folder)
    )
    if is_retired and can_ask:
        story.faults[AFTER] += 1
        witness.say(
            "a counterfeit is refused once its generation is retired",
            not isinstance(outcome, Redeemed),
            f"{machine.name} gave to a counterfeit of {chip.household.hex()}",
        )
    if not isinstance(outcome, Redeemed):
        return
    witness.printed(machine, outcome)
    machine.last_printed = outcome.number
    witness.found["counterfeit: given for"] += 1
    entry = outcome.evidence[0]
    if not isinstance(entry.content, Pending) or outcome.recovered:
        return
    worth = entry.content.quantity * WORTH[entry.content.programme]
    after = _exposed(machine)
    if before is None or after is None:
        return
    thief.given[machine.name] += worth
    thief.now[machine.name] = after
    witness.say(
        "what a counterfeit takes was exposed",
        thief.given[machine.name] <= thief.exposed[machine.name]
        and (worth <= before - after or voids != _voids(machine)),
        f"{machine.name} gave Rp{worth}; exposed were Rp{before} before and Rp{after} after",
    )


def reckon(story: Story, held: dict[Named, Entry], evidence: dict[Named, Entry]) -> None:
    """What was given twice by chip is within what was exposed; where a record is left, a case."""
    witness, thief = story.witness, story.thief
    cases = {case.right for case in story.town.province.cases()}
    excess = 0
    for right, given in rights_by_chip(story).items():
        total, owed = sum(given.values()), witness.quantity(right)
        if total <= owed:
            continue
        if right.household not in thief.families:
            continue  # two officers agreed to some of it: the witness looked
        excess += (total - owed) * WORTH[right.programme]
        known = sum(q for name, q in given.items() if name in held)
        if known > owed:
            witness.say(
                "what counterfeits took twice is found", right in cases, f"{right.text()} no case"
            )
        left = known > owed or any(name in evidence for name in given)
        witness.found[f"counterfeit: right given twice, {'found' if left else 'blind'}"] += 1
    exposed = sum(thief.exposed.values())
    witness.say(
        "what is given twice by chip is within exposure",
        excess <= exposed,
        f"Rp{excess} were given twice, Rp{exposed} exposed",
    )
    witness.found[TWICE] += excess
    witness.found[EXPOSED] += exposed


def rights_by_chip(story: Story) -> dict[Right, dict[Named, int]]:
    """What was handed over by chips and not taken back, by right."""
    found: dict[Right, dict[Named, int]] = defaultdict(dict)
    for (_, right), given in story.witness.by_chip.items():
        standing = {n: q for n, q in given.items() if (n[0], b"") not in story.witness.voids}
        found[right] |= standing
    return found


def _exposed(machine: Machine) -> int | None:
    try:
        return machine.exposed()
    except WrongRequestError:  # no ledger yet, or none that lists this machine
        return None


def _voids(machine: Machine) -> int:
    """How many entries of this machine take something back."""
    (row,) = machine.rows(f"SELECT count(*) FROM entry WHERE kind = {int(Kind.VOID)}")
    return int(row[0])
