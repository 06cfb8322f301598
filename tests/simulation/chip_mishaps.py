"""Mishaps of chips: lost and replaced, taken back, their keys stolen, rotated and retired."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.chip_keys import ChipKeys
from ledger.policy import DAY
from provisioning.known_redemptions import read_known
from terminal.counter import Redeemed, Request
from tests.simulation import thief
from tests.simulation.chips import COMMIT, SECOND, in_field, make_chip
from tests.world import KEC_1, KEC_2

if TYPE_CHECKING:
    from tests.simulation.story import Story

STOLEN, RETIRED = "redeem master stolen", "redeem keys rotated"
WEEKS = "weeks passed"


def replaced_chip(story: Story) -> None:
    """A family loses its chip; its next one begins with what the province knows was taken."""
    names = sorted(one for one in story.chips if story.issue[one] == 1 and not story.is_copied(one))
    household = story.chance.choice(names)
    old, town = story.chips[household], story.town
    row = town.rows[old.kecamatan][household]
    issue = row.issue + 1
    town.rows[old.kecamatan][household] = replace(row, issue=issue)
    story.issue[household] = issue
    story.cards[household, issue] = town.card(household, issue=issue)
    listed = [
        {"number": one.number, "at": one.at, "right": one.right.text(),
         "quantity": one.quantity, "void": one.voided}
        for one in town.province.redemptions()
    ]  # fmt: skip
    path = story.folder / "known.json"
    path.write_text(json.dumps(listed))
    policy = town.province.in_force().rights.policy
    opening = read_known(path, policy, now=town.clock.wall).get(household, ())
    chip = make_chip(
        household, old.kecamatan, town.issuer, issue=issue, issued=town.clock.wall, opening=opening
    )
    story.old_chips[household], story.chips[household] = old, chip
    story.witness.begins(chip)
    story.release()
    _both_come(story, household)
    story.sync(story.chance.choice(story.serving()))
    _both_come(story, household)
    story.faults["replaced chip"] += 1


def weeks_pass(story: Story) -> None:
    """Another window opens: for whoever has not met the province since, by far too old a ledger."""
    story.pass_time(SECOND.opens + DAY - story.town.clock.wall)
    for machine in story.machines:  # nobody was there in between
        machine.stop()
        machine.clock.reboot(wall=machine.clock.wall)
    story.release()
    for machine in story.chance.sample(story.serving(), 2):
        story.sync(machine)
    for household in sorted(story.old_chips):
        _both_come(story, household)
    story.faults[WEEKS] += 1


def _both_come(story: Story, household: bytes) -> None:
    """A family with two chips goes from counter to counter with either."""
    for machine in story.chance.sample(story.serving(), min(3, len(story.serving()))):
        for chip in (story.old_chips[household], story.chips[household]):
            if not machine.gone:
                story.chip_shown(machine, chip, story.chance.choice(thief.WISHES))
                story.after(machine)


def chip_void(story: Story) -> None:
    """What was given by chip is taken back, its card on the reader; it leaves too early or not."""
    for torn in (False, True):
        for _ in range(80):
            machine = story.chance.choice(story.serving())
            household = story.chance.choice(sorted(story.chips))
            chip = story.chips[household]
            outcome = story.chip_comes(machine, chip, Request("pangan", None, 1))
            if isinstance(outcome, Redeemed):
                story.witness.printed(machine, outcome)
                machine.last_printed = outcome.number
                entry = outcome.evidence[0]
                faults = story.chance.choice(COMMIT) if torn else None
                link = in_field(chip.card, story.chance, at=faults)
                voided = story.void_by_chip(machine, entry.body.seq, chip, link)
                story.after(machine)
                if voided is not None and voided.on_card != torn:
                    story.faults["chip left during a void"] += torn
                    break
            story.after(machine)


def master_stolen(story: Story) -> None:
    """A thief has the redeem master of a kecamatan, and makes chips with it."""
    story.thief.kecamatan = story.chance.choice((KEC_1, KEC_2))
    thief.come(story)
    story.faults[STOLEN] += 1


def keys_rotated(story: Story) -> None:
    """The office gives every terminal the next generation and retires the first in the ledger."""
    town = story.town
    kecamatan = story.thief.kecamatan or story.chance.choice((KEC_1, KEC_2))
    if story.thief.kecamatan:
        thief.come(story)
    town.given.add((kecamatan, 2))
    for machine in story.serving():
        town.give_masters(machine.folder)
    town.chip_keys = (ChipKeys(kecamatan, 2),)
    story.release()
    for machine in story.chance.sample(story.serving(), 2):
        story.sync(machine)
    if story.thief.kecamatan:
        thief.come(story)
    story.faults[RETIRED] += 1


def counterfeits(story: Story) -> None:
    """The thief comes again, whatever the ledger says."""
    if story.thief.kecamatan:
        thief.come(story)
