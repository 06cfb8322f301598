"""Redemptions by chip that were cut off: what the province says of each, and what truly happened.

The double of the card knows what it committed. The province knows what terminals saw of the card
since, and must say the same; of what nobody has seen since it must say nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from card_codec.chip.record import CardRecord, RecordKind
from ledger.element import RedemptionId
from ledger.entry import Commit, Entry, Observed, Pending, Void
from sync_agent.province.pendings import Fate
from tests.simulation.witness import Named

if TYPE_CHECKING:
    from tests.simulation.story import Story

Place = tuple[bytes, int]
"""A commit of a chip: its UID and the counter after it."""
Held = Mapping[Named, Entry]


def reckon(story: Story, held: Held) -> None:
    """What is open at the province is settled as the card's truth says, or nobody saw the card."""
    said = {one.redemption.number: one.fate for one in story.town.province.waiting(language="id")}
    waiting = open_pendings(held)
    witness, seen, truth = story.witness, commits_seen(held), _truth(story)
    witness.say(
        "the province knows which redemptions by chip are open",
        {id.number() for id in waiting} == said.keys(),
        f"{len(waiting)} are, {len(said)} are said to be",
    )
    for id, pending in waiting.items():
        fate, after = said[id.number()], (pending.uid, pending.counter + 1)
        committed = any(_is_of(record, id) for record in truth[after])
        copied = story.is_copied(pending.household)
        if after not in seen:
            right = Fate.OPEN
        elif copied:  # a counterfeit may have told of its own commit of that number
            right = Fate.COMMITTED if fate is Fate.COMMITTED and committed else Fate.NOT_COMMITTED
        else:
            right = Fate.COMMITTED if committed else Fate.NOT_COMMITTED
        witness.say(
            "the province settles what was cut off as its card says",
            fate is right,
            f"{id.number()} is said to be {fate}, and is {right}",
        )
        witness.found[f"cut off by chip, for good: {fate}"] += 1


def open_pendings(held: Held) -> dict[RedemptionId, Pending]:
    """Those of which their own terminal has told neither that they were committed nor that not."""
    settled = {
        RedemptionId(entry.id.terminal, entry.id.epoch, entry.content.seq)
        for entry in held.values()
        if isinstance(entry.content, Commit | Void)
    }
    return {
        entry.id: entry.content
        for entry in held.values()
        if isinstance(entry.content, Pending) and entry.id not in settled
    }


def commits_seen(held: Held) -> dict[Place, set[tuple[RedemptionId, RecordKind]]]:
    """Commits of chips that some entry tells of, and what each wrote."""
    found: dict[Place, set[tuple[RedemptionId, RecordKind]]] = defaultdict(set)
    pendings = {e.id: e.content for e in held.values() if isinstance(e.content, Pending)}
    for entry in held.values():
        content = entry.content
        if isinstance(content, Commit):
            id = RedemptionId(entry.id.terminal, entry.id.epoch, content.seq)
            if id in pendings:
                place = pendings[id].uid, content.counter
                found[place].add((id, RecordKind.REDEMPTION))
        elif isinstance(content, Observed):
            records = content.card_records()
            for back, record in enumerate(reversed(records)):
                id = RedemptionId(record.terminal, record.epoch, record.seq)
                found[content.uid, content.counter - back].add((id, record.kind))
    return found


def given(held: Held) -> list[Entry]:
    """Redemptions by chip of which goods went over the counter, or the card says they may have."""
    committed = {
        RedemptionId(entry.id.terminal, entry.id.epoch, entry.content.seq)
        for entry in held.values()
        if isinstance(entry.content, Commit)
    }
    seen = commits_seen(held)
    found = []
    for entry in held.values():
        content = entry.content
        if isinstance(content, Pending):
            wrote = seen.get((content.uid, content.counter + 1), set())
            if entry.id in committed or (entry.id, RecordKind.REDEMPTION) in wrote:
                found.append(entry)
    return found


def _truth(story: Story) -> dict[Place, list[CardRecord]]:
    """What every chip there ever was committed; counterfeits have the UID of another."""
    found: dict[Place, list[CardRecord]] = defaultdict(list)
    for chip in (*story.chips.values(), *story.old_chips.values(), *story.counterfeits):
        for counter, record in chip.truth.items():
            found[chip.uid, counter].append(record)
    return found


def _is_of(record: CardRecord, id: RedemptionId) -> bool:
    named = RedemptionId(record.terminal, record.epoch, record.seq)
    return record.kind is RecordKind.REDEMPTION and named == id
