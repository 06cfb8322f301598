"""The last reckoning: every road opens, everybody meets, and all promises are looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledger.element import RedemptionId, Right
from ledger.entry import CARD_LEAF, Entry, Pending, Redemption, Void
from sync_agent.errors import ForkError, RefusedThereError, SyncError
from sync_agent.province.cases import Case
from tests.simulation import branches, pendings, thief, verdicts
from tests.simulation.machine import Machine
from tests.simulation.road import ProcessRoad
from tests.simulation.witness import Named, Witness, ordered
from tests.world import KEC_1

if TYPE_CHECKING:
    from tests.simulation.story import Story

ROUNDS = 3
NOTHING: Mapping[Named, int] = {}


def reckon(story: Story) -> None:
    """Let everything arrive that can, then check."""
    _some_come_again(story)
    _open_every_road(story)
    held = story.witness.province_holds(story.town.province)
    evidence = story.witness.evidence(story.town.province)
    nothing_lost(story, held, evidence)
    views_equal(story, held)
    cases_right(story, held)
    forks_right(story, evidence)
    pendings.reckon(story, held)
    cases_right(story, held, signed=verdicts.bring(story, held))
    if story.thief.kecamatan:
        thief.reckon(story, held, evidence)
    for machine in story.machines:
        if not machine.stolen:
            story.witness.fsck(machine)
    count_blind(story, held, evidence)


def _open_every_road(story: Story) -> None:
    """All meet, some rounds long; what was put aside is connected once more at the office."""
    story.network.badness = 0.0
    story.network.deliver_late()
    for machine in story.machines:
        machine.disk.faults.cut_at = machine.disk.faults.room = None
        machine.clock.wall = story.town.clock.wall
    for former in story.formers:
        story.hand_in_former(former)
    for _ in range(ROUNDS):
        _all_sync(story)
    for machine in story.machines:
        if machine.gone and not machine.stolen:
            hand_in(story, machine)
    _thieves_call(story)
    if story.thief.kecamatan:
        thief.come_last(story)
    for _ in range(2):  # what was given just now goes up, by one of them last, and down to all
        _all_sync(story)


def _some_come_again(story: Story) -> None:
    """Of the families whose chip was cut off once, half lay it on a reader somewhere again."""
    for household in sorted(story.unfinished):
        if story.chance.random() < 0.5:
            machine = story.chance.choice(story.serving())
            story.family_comes(machine, household)
            story.after(machine)


def _all_sync(story: Story) -> None:
    story.pass_time(7200)
    for machine in story.serving():
        story.sync(machine)


def _thieves_call(story: Story) -> None:
    """A stolen machine is shut out: the province takes nothing of it, and gives it nothing."""
    outside = {(t.ordinal, t.epoch) for t in story.town.terminals if t.shut_out is not None}
    for machine in story.machines:
        if machine.whose not in outside or not machine.stolen:
            continue
        before = story.witness.province_holds(story.town.province).keys()
        brought = sorted(machine.folder.in_box.rglob("*"))
        told = ""
        try:
            machine.sync(ProcessRoad(story.network, machine.folder))
        except RefusedThereError as error:
            told = error.code
        story.witness.say(
            "a stolen terminal is shut out",
            told == "shut_out"
            and story.witness.province_holds(story.town.province).keys() == before
            and sorted(machine.folder.in_box.rglob("*")) == brought,
            f"{machine.name} was told {told!r}",
        )


def hand_in(story: Story, machine: Machine) -> None:
    """A machine that was put aside is connected once more at the office."""
    try:
        machine.sync(ProcessRoad(story.network, machine.folder))
    except ForkError:
        story.witness.found["fork handed in"] += 1
    except SyncError as error:
        story.faults[f"hand-in refused: {type(error).__name__}"] += 1


def nothing_lost(story: Story, held: dict[Named, Entry], evidence: dict[Named, Entry]) -> None:
    """Every entry of every machine that is left is at the province, as log or as evidence."""
    witness = story.witness
    left: set[Named] = set()
    for former in story.formers:
        missing = sorted(story.witness.brought[former.config.ordinal] - held.keys())
        witness.say(
            "what was brought back reaches the province",
            not missing,
            f"{[id.number() for id, _ in missing[:3]]} of {len(missing)}",
        )
    outside = {(t.ordinal, t.epoch) for t in story.town.terminals if t.shut_out is not None}
    for machine in story.machines:
        if machine.stolen or machine.whose in outside:
            continue
        mine = {(entry.id, entry.leaf) for entry in machine.entries()}
        left |= mine
        missing = sorted(mine - held.keys() - evidence.keys())
        witness.say(
            "every entry reaches the province",
            not missing,
            f"{machine.name}: {[id.number() for id, _ in missing[:3]]} of {len(missing)}",
        )
    for name, entry in sorted(held.items()):
        witness.entries.setdefault(name, entry)
    gone = sorted((story.once_held.keys() & left) - held.keys() - evidence.keys())
    witness.say(
        "what was acknowledged comes back", not gone, f"{[id.number() for id, _ in gone[:3]]}"
    )


def views_equal(story: Story, held: dict[Named, Entry]) -> None:
    """Terminals that have met the province know what it knows, and so what all others know."""
    told: dict[Named, tuple[Right, int]] = {}
    for (id, leaf), entry in (held | branches.redemptions(story, held)).items():
        element = entry.element()
        if element is not None:
            told[id, leaf[:8]] = element.right, element.quantity
    before = story.once_held | story.once_shown  # a province put back from a copy has less
    remembered = {(id, leaf[:8]) for id, leaf in before} - told.keys()
    for machine in story.serving():
        story.witness.look_at(machine)
        known = {
            name: (right, quantity)
            for right, names in machine.views.items()
            for name, quantity in names.items()
            if name[1] != CARD_LEAF  # what only a chip has said
        }
        missing = sorted(told.keys() - known.keys())
        more = sorted(known.keys() - told.keys() - remembered)
        story.witness.say(
            "views that have met are equal",
            not missing and not more,
            f"{machine.name} does not know {[i.number() for i, _ in missing[:3]]}"
            f" ({len(missing)}), and alone knows {[i.number() for i, _ in more[:3]]} ({len(more)})",
        )


def cases_right(
    story: Story, held: dict[Named, Entry], signed: Mapping[Named, int] = NOTHING
) -> None:
    """Exactly the rights that were taken beyond what they hold are cases, with the right winner."""
    witness = story.witness
    by_right: dict[Right, list[Entry]] = defaultdict(list)
    voids = {
        RedemptionId(entry.id.terminal, entry.id.epoch, entry.content.seq)
        for entry in held.values()
        if isinstance(entry.content, Void)
    }
    whole = [entry for entry in held.values() if isinstance(entry.content, Redemption)]
    stands = [one for one in (*whole, *pendings.given(held)) if one.id not in voids]
    proved = branches.given(story, held).values()
    for entry in (*stands, *proved):
        element = entry.element()
        if element is not None:
            by_right[element.right].append(entry)
    expected = {
        right: entries
        for right, entries in by_right.items()
        if sum(units(entry) for entry in entries) > witness.quantity(right)
    }
    found: dict[Right, Case] = {case.right: case for case in story.town.province.cases()}
    missing = [right.text() for right in expected if right not in found]
    false = [right.text() for right in found if right not in expected]
    witness.say("every double is found", not missing, f"{len(missing)} not found: {missing[:2]}")
    witness.say("no false accusation", not false, f"{len(false)} cases of nothing: {false[:2]}")
    for right, case in found.items():
        order = ordered(expected[right], home_of(story, right), signed)
        told = [(claim.id, claim.leaf) for claim in (*case.counted, *case.losers)]
        witness.say(
            "the winner follows from the records",
            told == [(entry.id, entry.leaf) for entry in order],
            f"{right.text()}: {[id.number() for id, _ in told]}",
        )
    of_branch = {(entry.id, entry.leaf) for entry in proved}
    witness.found["double shown by a branch"] += sum(
        any((claim.id, claim.leaf) in of_branch for claim in (*case.counted, *case.losers))
        for case in found.values()
    )
    witness.found["double, by what chips signed" if signed else "double"] += len(found)


def forks_right(story: Story, evidence: dict[Named, Entry]) -> None:
    """A branch is kept of every chain that was doubled, and of none other."""
    shared = {machine.whose for machine in story.machines if machine.shared}
    accused = {(id.terminal, id.epoch) for id, _ in evidence}
    false = sorted(accused - shared)
    story.witness.say("no false accusation", not false, f"forks of honest terminals: {false}")
    story.witness.found["fork"] += len(accused)


def count_blind(story: Story, held: dict[Named, Entry], evidence: dict[Named, Entry]) -> None:
    """Rights given beyond what they hold, of which the records left do not tell."""
    witness: Witness = story.witness
    voids = {id for id, _ in witness.voids}
    totals: dict[Right, int] = defaultdict(int)
    known: dict[Right, int] = defaultdict(int)
    by_chip = {(entry.id, entry.leaf) for entry in pendings.given(witness.entries)}
    for name, entry in witness.entries.items():
        element = entry.element()
        if element is None or entry.id in voids:
            continue
        if isinstance(entry.content, Pending) and name not in by_chip:
            continue
        totals[element.right] += element.quantity
        if name in held or name in evidence:
            known[element.right] += element.quantity
    for right, total in totals.items():
        owed = witness.quantity(right)
        witness.blind += total > owed >= known[right]


def units(entry: Entry) -> int:
    """How much an entry took."""
    assert isinstance(entry.content, Redemption | Pending)
    return entry.content.quantity


def home_of(story: Story, right: Right) -> int:
    """The home terminal of a household, by the roster."""
    return 1 if right.household in story.town.rows[KEC_1] else 2
