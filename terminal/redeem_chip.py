"""The main path of a chip: recorded as pending, committed by the card, recorded as committed.

    T1    settle what the card left open · decide · PENDING entry, durable
    card  CommitReaderID · WriteRecord · CommitTransaction
    T2    COMMIT entry, durable; only now goods

No lock and no transaction is held while the card is asked. If it leaves before it has answered, the
pending redemption counts as taken until the card itself says what became of it, at its next tap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from card_codec.chip.errors import ChipError
from card_codec.chip.profile import Commit as CardCommit
from card_codec.chip.profile import OpenChip
from card_codec.chip.record import RecordKind
from card_codec.chip.tmac import reader_id
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.card_record import record_of
from ledger.entry import Commit, Entry, Pending
from ledger.rights import Rights
from terminal.after import second_person
from terminal.chip_history import alone_from, has_gap, who_was_before
from terminal.chip_settle import settle
from terminal.chip_tap import Tap
from terminal.decision import Approved, ChipHere, Request, Verdict, decide
from terminal.exception import set_aside
from terminal.redeem import (
    Desk,
    Presentation,
    Redeemed,
    Turn,
    append,
    here_now,
    judge,
    record_refusal,
    redemption_of,
    turn_of,
)


@dataclass(frozen=True, slots=True)
class Begun:
    """Recorded as pending and durable; nothing may be handed over before the card has committed."""

    approved: Approved
    entry: Entry
    signature: bytes
    chip: OpenChip


def begin(
    desk: Desk, tap: Tap, request: Request, *, second: str | None = None
) -> Begun | Redeemed | Verdict:
    """T1: settle what the card left open here, decide, and record.

    Of a programme that is not carried on cards, and of a chip that could not be asked to prove
    itself, the redemption is recorded whole, as on paper.

    Args:
        desk: what the counter works with.
        tap: the chip on the reader.
        request: what for.
        second: initials of a second officer, who agrees to an exception.

    Raises:
        SecondPersonError: the second officer is the first.
        NotSavedError: the disk refused; nothing happened.
        JournalDamagedError: the journal is damaged; service stops.
    """
    presentation = Presentation.of_tap(tap)
    agreed = None if second is None else second_person(desk, second)
    with turn_of(desk, presentation, request) as turn:
        verdict = settle(turn, tap) or judge_tap(turn, tap)
        if isinstance(verdict, Redeemed):
            return verdict
        if agreed is not None:
            verdict = set_aside(turn, verdict, second=agreed, again=judge_shown)
        if not isinstance(verdict, Approved):
            record_refusal(turn, verdict)
            return verdict
        by_card = tap.chip is not None and request.programme.on_card
        redemption = redemption_of(verdict, presentation)
        content = _pending(verdict, tap.chip) if tap.chip and by_card else redemption
        entry, signature = append(desk, turn.act, turn.moment, content)
    if tap.chip is not None and by_card:
        return Begun(verdict, entry, signature, tap.chip)
    return Redeemed(verdict, entry.id.number(), (entry, signature), turn.moment.early)


def commit_on_card(begun: Begun) -> CardCommit | None:
    """Let the card commit; None if nobody can say whether it did. It is never asked again."""
    pending, body = begun.entry.content, begun.entry.body
    if not isinstance(pending, Pending):
        raise TypeError("a card commits a pending redemption alone")
    record = record_of(begun.entry.id, pending, kind=RecordKind.REDEMPTION, at=body.moment.early)
    try:
        return begun.chip.commit_record(record, reader_id(body.terminal, body.epoch))
    except ChipError:
        return None


def finish(desk: Desk, begun: Begun, commit: CardCommit | None) -> Redeemed | Refused:
    """T2: record what the card committed; then the goods may go over the counter.

    Raises:
        NotSavedError: the disk refused; the redemption stays pending, and its card will say.
        JournalDamagedError: the journal is damaged; service stops.
    """
    number = begun.entry.id.number()
    if commit is None:
        return Refused(Reason.CARD_UNFINISHED, Facts(redemption=number))
    with desk.journal.act() as act:
        content = Commit(begun.entry.body.seq, commit.counter, commit.value)
        append(desk, act, act.moment(desk.clock.read()), content)
    evidence = (begun.entry, begun.signature)
    return Redeemed(begun.approved, number, evidence, begun.entry.body.moment.early)


def look_at_chip(desk: Desk, tap: Tap, request: Request) -> Redeemed | Verdict:
    """Settle what the card left open here, and judge without giving anything new.

    Raises:
        NotSavedError: the disk refused the record of it.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with turn_of(desk, Presentation.of_tap(tap), request) as turn:
        verdict = settle(turn, tap) or judge_tap(turn, tap)
        if not isinstance(verdict, Redeemed):
            record_refusal(turn, verdict)
    return verdict


def judge_shown(turn: Turn) -> Verdict:
    """Decide on what was shown: a chip with its own memory, anything else without."""
    tap = turn.presentation.tap
    return judge(turn) if tap is None else judge_tap(turn, tap)


def judge_tap(turn: Turn, tap: Tap) -> Verdict:
    """Decide on a chip with what is known in this transaction, its own memory among it."""
    rights = turn.desk.rights
    if isinstance(tap.heard, Refused):
        return tap.heard
    if rights is None:
        return Refused(Reason.NO_LEDGER)
    shown = tap.heard.credential
    here = here_now(turn, shown, rights)
    return decide(shown, turn.request, replace(here, chip=_chip_here(turn, tap, rights)))


def _chip_here(turn: Turn, tap: Tap, rights: Rights) -> ChipHere:
    """What this terminal can know of the chip itself."""
    cards, me = turn.act.cards, turn.desk.journal.identity
    proved = tap.chip
    state = proved.state if proved else None
    known = cards.commits(tap.uid) if proved else frozenset()
    waiting = cards.open(tap.uid) if proved else []
    shown = tap.heard.credential if not isinstance(tap.heard, Refused) else None
    household = rights.household(shown.household) if shown else None
    return ChipHere(
        can_be_asked=bool(tap.keys and household and tap.keys.holds(household.kecamatan)),
        is_proved=proved is not None,
        has_gap=lambda window: state is None or has_gap(state, known, opens=window.opens),
        alone_from=alone_from(shown, unheard_for=rights.policy.unheard_for) if shown else 0,
        open_here=frozenset((me.terminal, me.epoch, one.seq) for one in waiting),
    )


def _pending(approved: Approved, chip: OpenChip) -> Pending:
    right, state = approved.right, chip.state
    return Pending(
        household=right.household,
        issue=approved.issue,
        member=right.member,
        programme=right.programme,
        window=right.window,
        quantity=approved.quantity,
        paid=approved.pays,
        basis=approved.basis,
        uid=chip.uid,
        counter=state.counter,
        before=who_was_before(state),
    )
