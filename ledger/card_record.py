"""What a chip is asked to write of a redemption: it follows from the signed entries alone."""

from __future__ import annotations

from card_codec.chip.record import CardRecord, RecordKind, day_of
from ledger.element import RedemptionId
from ledger.entry import Entry, Pending, Void

_SEQ_MAX = 0xFF_FFFF


def record_of(id: RedemptionId, pending: Pending, *, kind: RecordKind, at: int) -> CardRecord:
    """The record of a redemption by chip, or of its void.

    Args:
        id: of the redemption; a void's record names the redemption that it takes back.
        pending: what it gives.
        kind: redemption or void.
        at: *early* of the entry that the record is of, Unix seconds.
    """
    return CardRecord(
        kind=kind,
        terminal=id.terminal,
        epoch=id.epoch,
        seq=id.seq,
        programme=pending.programme,
        window=pending.window,
        member=pending.member,
        quantity=pending.quantity,
        day=day_of(at),
    )


def record_committed(pending: Entry, committed: Entry) -> CardRecord | None:
    """The record of a commit.

    Args:
        pending: entry of the redemption.
        committed: the same, or the entry of its void.

    Returns:
        None where the one is no redemption by chip, or the other does not go with it.
    """
    content, id = pending.content, pending.id
    if not isinstance(content, Pending) or id.seq > _SEQ_MAX:
        return None
    at = committed.body.moment.early
    if committed.leaf == pending.leaf:
        return record_of(id, content, kind=RecordKind.REDEMPTION, at=at)
    if isinstance(committed.content, Void) and committed.content.seq == id.seq:
        return record_of(id, content, kind=RecordKind.VOID, at=at)
    return None
