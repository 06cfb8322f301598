"""What a chip's own memory says: of a redemption that was cut off, and of what it no longer shows.

Pure. A chip is asked, never guessed about: what it cannot say stays open.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from card_codec.chip.profile import ChipState
from card_codec.chip.record import CardRecord, RecordKind, day_of
from card_codec.credential import Credential
from ledger.clock import day_begins
from ledger.element import RedemptionId
from ledger.policy import DAY

FIRST_ISSUE = 1
"""Number of a card that replaced none."""


class Fate(StrEnum):
    """What became of a record that a card was asked to commit."""

    COMMITTED = "committed"
    NOT_COMMITTED = "not_committed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Found:
    """A fate; of a committed record the number of its commit and, if it is the last, its TMV."""

    fate: Fate
    counter: int = 0
    value: bytes = b""


def fate_of(record: CardRecord, before: int, state: ChipState) -> Found:
    """What became of a record.

    Args:
        record: that the card was asked to commit.
        before: the card's counter (TMC) when it was asked.
        state: what the card shows now.
    """
    if state.counter == before:
        return Found(Fate.NOT_COMMITTED)
    if state.counter < before or state.unexplained:
        return Found(Fate.OPEN)
    counter = _number_of(record, state)
    if counter is not None:
        return Found(Fate.COMMITTED, counter, state.value if counter == state.counter else b"")
    if any(_id(one) == _id(record) for one in state.records):
        return Found(Fate.OPEN)  # something else under its id: nothing here can judge that
    all_visible = state.counter - before <= len(state.records)
    return Found(Fate.NOT_COMMITTED if all_visible else Fate.OPEN)


def find_void(redemption: RedemptionId, state: ChipState) -> Found:
    """Whether the card holds the record of a void."""
    for record in state.records:
        if record.kind is RecordKind.VOID and _id(record)[1:] == _place(redemption):
            counter = _number_of(record, state) or 0
            value = state.value if counter == state.counter else b""
            return Found(Fate.COMMITTED, counter, value)
    return Found(Fate.NOT_COMMITTED)


def has_gap(state: ChipState, known: Collection[int], *, opens: int) -> bool:
    """Whether the card may have taken something in a window that nobody here can see.

    Args:
        state: what the card shows.
        known: numbers of its commits that are known here by any road.
        opens: when the window opened, Unix seconds.
    """
    if state.unexplained or state.counter < max(known, default=0):
        return True  # committed without a record, or put back to an older image
    hidden = state.counter - len(state.records)
    if hidden <= 0 or state.records[0].day < day_of(opens):
        return False  # what was pushed out is older than the oldest that can be seen
    return sum(1 for number in known if number <= hidden) < hidden


def alone_from(shown: Credential, *, unheard_for: int) -> int:
    """From when a window must open for the card that this one replaced to be taken in it nowhere.

    That other knows what it took, and this one does not. A terminal without a road takes it for as
    long as its ledger is not too old; to serve a window that opens after that, it must hold it to
    be that late itself, and so its ledger to be too old. No clock has to be right for it.

    Args:
        shown: the credential of this card.
        unheard_for: seconds after which a ledger without the replacement serves nobody by itself.

    Returns:
        The first midnight (WIB) after that, Unix seconds; 0 for a family's first card.
    """
    if shown.issue == FIRST_ISSUE:
        return 0
    return day_begins(shown.issued_at + unheard_for) + DAY


def numbers(state: ChipState) -> range:
    """The numbers of the commits whose records are visible, oldest first."""
    return range(state.counter - len(state.records) + 1, state.counter + 1)


def who_was_before(state: ChipState) -> int:
    """Who had the newest commit: ordinal of the terminal times 256 and its epoch."""
    newest = state.records[-1] if state.records else None
    return newest.terminal << 8 | newest.epoch if newest else 0


def _number_of(record: CardRecord, state: ChipState) -> int | None:
    """The newest commit that wrote exactly this record."""
    for number, one in zip(reversed(numbers(state)), reversed(state.records), strict=True):
        if one == record:
            return number
    return None


def _id(record: CardRecord) -> tuple[RecordKind, int, int, int]:
    return record.kind, record.terminal, record.epoch, record.seq


def _place(id: RedemptionId) -> tuple[int, int, int]:
    return id.terminal, id.epoch, id.seq
