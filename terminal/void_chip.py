"""A redemption by chip is taken back: the entry first, then the card's record, then the goods.

The void counts from the moment its entry is durable, whatever the card does. Its record on the card
only informs: it never raises what is left elsewhere, and keeps counter and records in step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from card_codec.chip.errors import ChipError
from card_codec.chip.profile import Commit as CardCommit
from card_codec.chip.record import CardRecord, RecordKind
from card_codec.chip.tmac import reader_id
from ledger.card_record import record_of
from ledger.entry import Commit, Pending
from terminal.after import Voided, void
from terminal.chip_tap import Tap
from terminal.errors import OtherCardError
from terminal.redeem import Desk, append

Acting = Callable[[], AbstractContextManager[None]]
"""One act at a time: held while the journal is written, never while a card is asked."""


@dataclass(frozen=True, slots=True)
class VoidOrder:
    """What is to be taken back, why, and who agrees."""

    seq: int
    reason: str
    second: str


def take_back(desk: Desk, acting: Acting, order: VoidOrder, tap: Tap | None) -> Voided:
    """Record the void, let the card that took it write it down if it is at hand, and record that.

    Raises:
        OtherCardError: another card lies on the reader; nothing was taken back.
        WrongRequestError: it may not be taken back here.
        NotSavedError: the disk refused; nothing was taken back, or what the card wrote is told by
            its next tap.
        JournalDamagedError: the journal is damaged; service stops.
    """
    if tap is None:
        with acting():
            return void(desk, order.seq, reason=order.reason, second=order.second)
    with acting():
        voided = begin_void(desk, tap, order)
    commit = write_void(desk, tap, voided)
    with acting():
        return finish_void(desk, voided, commit)


def begin_void(desk: Desk, tap: Tap, order: VoidOrder) -> Voided:
    """Record the void; durable when this returns."""
    entry = desk.journal.entry(order.seq)
    given = entry.content if entry else None
    if isinstance(given, Pending) and given.uid != tap.uid:
        raise OtherCardError("another card lies on the reader than the one that took this")
    return void(desk, order.seq, reason=order.reason, second=order.second)


def write_void(desk: Desk, tap: Tap, voided: Voided) -> CardCommit | None:
    """Let the card write that it was taken back; None if it did not, or nobody can say."""
    record = _record(desk, voided)
    if tap.chip is None or record is None:
        return None
    me = desk.journal.identity
    try:
        return tap.chip.commit_record(record, reader_id(me.terminal, me.epoch))
    except ChipError:
        return None  # its next tap here tells; it is never asked again


def finish_void(desk: Desk, voided: Voided, commit: CardCommit | None) -> Voided:
    """Record what the card committed.

    Raises:
        NotSavedError: the disk refused; the void stands, and the card will say the rest.
        JournalDamagedError: the journal is damaged; service stops.
    """
    if commit is None:
        return voided
    with desk.journal.act() as act:
        content = Commit(voided.seq, commit.counter, commit.value)
        append(desk, act, act.moment(desk.clock.read()), content)
    return replace(voided, on_card=True)


def _record(desk: Desk, voided: Voided) -> CardRecord | None:
    entry, redemption = desk.journal.entry(voided.seq), desk.journal.entry(voided.redemption)
    if entry is None or redemption is None or not isinstance(redemption.content, Pending):
        return None
    at = entry.body.moment.early
    return record_of(redemption.id, redemption.content, kind=RecordKind.VOID, at=at)
