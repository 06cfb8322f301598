"""What a tap settles: redemptions and voids that were cut off, and what the card brings along.

An interrupted redemption by chip is settled from its card alone: it committed, or it did not, or it
stays open and reserved. What the card shows that is not known here joins the union as an OBSERVED
entry, so that a terminal without any road refuses a second time, and the province learns of it.
"""

from __future__ import annotations

from card_codec.chip.profile import ChipState
from card_codec.chip.record import CardRecord, RecordKind, encode_record
from card_codec.credential import Credential
from card_codec.refusal import Refused
from ledger.card_memory import OpenPending
from ledger.card_record import record_of
from ledger.element import RedemptionId, Right
from ledger.entry import (
    NOBODY_ELSE,
    NOT_COMMITTED,
    Commit,
    Entry,
    Observed,
    Pending,
    Void,
)
from terminal.chip_history import Fate, fate_of, find_void, numbers
from terminal.chip_tap import Tap
from terminal.decision import Approved
from terminal.redeem import Redeemed, Turn, append


def settle(turn: Turn, tap: Tap) -> Redeemed | None:
    """Settle what this card left open here, and take in what it brings.

    Returns:
        A redemption that turns out to be committed: its goods are due now. None otherwise.
    """
    if tap.chip is None or isinstance(tap.heard, Refused):
        return None
    state, credential = tap.chip.state, tap.heard.credential
    due = None
    for waiting in turn.act.cards.open(tap.uid):
        if waiting.seq > tap.as_of:
            continue  # begun after the card was asked: by another counter of this terminal
        due = _settle_pending(turn, waiting, state) or due
    _settle_voids(turn, state)
    if _is_news(turn, credential, tap.uid, state):
        append(turn.desk, turn.act, turn.moment, _observed(credential, tap.uid, state))
    return due


def _settle_pending(turn: Turn, waiting: OpenPending, state: ChipState) -> Redeemed | None:
    entry = turn.act.entry(waiting.seq)
    if entry is None or not isinstance(entry.content, Pending):
        return None
    at = entry.body.moment.early
    record = record_of(entry.id, entry.content, kind=RecordKind.REDEMPTION, at=at)
    found = fate_of(record, waiting.counter, state)
    if found.fate is Fate.NOT_COMMITTED:
        _append(turn, Void(waiting.seq, NOT_COMMITTED, NOBODY_ELSE))
    if found.fate is not Fate.COMMITTED:
        return None
    _append(turn, Commit(waiting.seq, found.counter, found.value))
    return _due(turn, entry, entry.content)


def _settle_voids(turn: Turn, state: ChipState) -> None:
    """A void's record that the card holds is recorded here too: its counter has no gap then."""
    for record in state.records:
        if record.kind is not RecordKind.VOID or not _is_mine(turn, record):
            continue
        void = turn.act.cards.void_to_commit(record.seq)
        if void is not None:
            found = find_void(_redemption(record), state)
            _append(turn, Commit(void, found.counter, found.value))


def _due(turn: Turn, entry: Entry, pending: Pending) -> Redeemed | None:
    """The redemption as it was approved, as far as the ledger in force can still say it."""
    rights = turn.desk.rights
    programme = rights.policy.programme_numbered(pending.programme) if rights else None
    window = programme.window(pending.window) if programme else None
    if rights is None or programme is None or window is None:
        return None  # recorded; the slip of a ledger that is gone cannot be written
    household = rights.household(pending.household)  # None where two officers gave all the same
    right = Right(pending.household, pending.member, pending.programme, pending.window)
    owed = rights.quantity(household, right) if household else None
    left = None if owed is None else owed - turn.act.known.taken(right).total
    names = turn.desk.people.names(pending.household)
    approved = Approved(
        right=right,
        programme=programme,
        window=window,
        issue=pending.issue,
        name=names.get(0),
        place=household.place if household else "",
        quantity=pending.quantity,
        left_before=None if left is None else left + pending.quantity,
        left_after=left,
        pays=pending.paid,
        basis=pending.basis,
        member_name=names.get(pending.member) if pending.member else None,
    )
    evidence = (entry, turn.desk.journal.signature(entry.body.seq))
    return Redeemed(approved, entry.id.number(), evidence, entry.body.moment.early, recovered=True)


def _is_news(turn: Turn, credential: Credential, uid: bytes, state: ChipState) -> bool:
    """Whether the card shows a record that is not known here by any road."""
    known = turn.act.known.named(credential.household)
    seen = turn.act.cards.commits(uid)
    for number, record in zip(numbers(state), state.records, strict=True):
        takes = record.kind in {RecordKind.REDEMPTION, RecordKind.OPENING}
        if takes and (_redemption(record), _right(credential, record)) not in known:
            return True
        if record.kind is RecordKind.VOID and number not in seen and not _is_own(turn, record):
            return True
    return False


def _is_own(turn: Turn, record: CardRecord) -> bool:
    """Whether this journal says what a void's record says."""
    return _is_mine(turn, record) and turn.act.cards.has_void(record.seq)


def _observed(credential: Credential, uid: bytes, state: ChipState) -> Observed:
    return Observed(
        household=credential.household,
        issue=credential.issue,
        uid=uid,
        counter=state.counter,
        value=state.value,
        records=b"".join(encode_record(record) for record in state.records),
    )


def _append(turn: Turn, content: Commit | Void) -> None:
    append(turn.desk, turn.act, turn.moment, content)


def _is_mine(turn: Turn, record: CardRecord) -> bool:
    me = turn.desk.journal.identity
    return (record.terminal, record.epoch) == (me.terminal, me.epoch)


def _redemption(record: CardRecord) -> RedemptionId:
    return RedemptionId(record.terminal, record.epoch, record.seq)


def _right(credential: Credential, record: CardRecord) -> Right:
    return Right(credential.household, record.member, record.programme, record.window)
