"""What comes after a redemption: the goods went over the counter, or it is taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.clock import Moment, day_begins
from ledger.entry import ClockConfirmed, Closed, Content, Entry, Handover, Pending, Redemption, Void
from ledger.journal import Act
from ledger.totals import total_up
from terminal.errors import (
    SecondPersonError,
    TooLateError,
    UnfinishedError,
    WrongRequestError,
)
from terminal.redeem import Desk, append

INITIALS_MAX = 12
_RECEIPT = re.compile(r"T([0-9]{3,5})(?:\.([0-9]{1,3}))?-([0-9]{4,10})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Voided:
    """A redemption was taken back; only now may goods and money be taken back too.

    Attributes:
        number: receipt number of what was taken back.
        void: number of the entry that says so.
        paid: rupiah the family had paid, and gets back.
        redemption: number of the entry that was taken back, in its chain.
        seq: number of the void's entry.
        on_card: the chip that took it has written the void down, too.
    """

    number: str
    void: str
    paid: int
    redemption: int = 0
    seq: int = 0
    on_card: bool = False


def void(desk: Desk, seq: int, *, reason: str, second: str) -> Voided:
    """Take back a redemption of this terminal: same day, before the close, with a second person.

    Args:
        desk: what the counter works with.
        seq: number of the redemption in this journal.
        reason: why, in a few words.
        second: initials of the second person.

    Raises:
        WrongRequestError: it may not be taken back here, or a word is missing.
        NotSavedError: the disk refused; nothing was taken back.
        JournalDamagedError: the journal is damaged; service stops.
    """
    content = _void(desk, seq, reason=reason, second=second)
    with desk.journal.act() as act:
        moment = act.moment(desk.clock.read())
        redemption, given = _voidable(act, seq, moment)
        entry, _ = append(desk, act, moment, content)
    return Voided(redemption.id.number(), entry.id.number(), given.paid, seq, entry.body.seq)


def check_void(desk: Desk, seq: int, *, reason: str, second: str) -> bytes | None:
    """Look whether it may be taken back, before anybody is asked for its card.

    Returns:
        UID of the chip that took it; None for paper.

    Raises:
        WrongRequestError: as `void`; nothing is recorded either way.
        JournalDamagedError: the journal is damaged; service stops.
    """
    _void(desk, seq, reason=reason, second=second)
    with desk.journal.act() as act:
        _, given = _voidable(act, seq, act.moment(desk.clock.read()))
    return given.uid if isinstance(given, Pending) else None


def _void(desk: Desk, seq: int, *, reason: str, second: str) -> Void:
    return Void(seq, _words(reason, 80, "say why"), second_person(desk, second))


def answer_handover(desk: Desk, *, handed_over: bool, second: str = "") -> Entry:
    """Answer the question after a restart: did the goods of the last redemption go over?

    Yes records it. No takes the redemption back, with a second person.

    Raises:
        WrongRequestError: nothing is asked, or the second person is missing.
        NotSavedError: the disk refused; the question stands.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with desk.journal.act() as act:
        seq = act.awaiting_handover(0)
        if seq is None or seq > desk.handover_since:
            raise WrongRequestError("no hand-over is in question; nothing was recorded")
        content: Content = Handover(seq)
        if not handed_over:
            content = Void(seq, "not handed over before a restart", second_person(desk, second))
        moment = act.moment(desk.clock.read())
        entry, _ = append(desk, act, moment, content)
    return entry


def close_day(desk: Desk) -> Closed | None:
    """Close the day with its totals; what was given last was handed over by now.

    Returns:
        What the close says; None when nothing has happened since the last one.

    Raises:
        NotSavedError: the disk refused; the day is still open.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with desk.journal.act() as act:
        if act.is_closed() or act.head.seq == 0:
            return None
        closed = total_up(*act.day(), act.entry)
        moment = act.moment(desk.clock.read())
        append(desk, act, moment, closed)
    return closed


def confirm_clock(desk: Desk, *, second: str) -> int:
    """Record that two officers found the machine's clock right; it then counts for a day.

    Without it the clock counts only 45 days past what an offline key has signed.

    Returns:
        What the clock said, Unix seconds.

    Raises:
        WrongRequestError: the clock stands before what was signed, or nobody else agreed.
        NotSavedError: the disk refused; nothing was confirmed.
        JournalDamagedError: the journal is damaged; service stops.
    """
    agreed, floors = second_person(desk, second), desk.journal.floors()
    with desk.journal.act() as act:
        reading = desk.clock.read()
        if reading.wall < floors.office.time:
            raise WrongRequestError("the clock stands before the last publication; put it right")
        append(desk, act, act.moment(reading), ClockConfirmed(reading.wall, agreed))
    return reading.wall


def second_person(desk: Desk, initials: str) -> str:
    """Initials of somebody who is not the officer who serves.

    Raises:
        SecondPersonError: none, too long, or the officer's own.
    """
    initials = " ".join(initials.split())
    if not 0 < len(initials) <= INITIALS_MAX:
        raise SecondPersonError(
            f"give the initials of a second person, in 1 to {INITIALS_MAX} characters"
        )
    if initials.casefold() == desk.officer.casefold():
        raise SecondPersonError(f"{initials} serves here; a second person must agree")
    return initials


def receipt_seq(receipt: str, ordinal: int, epoch: int) -> int:
    """The number of the entry that a receipt's number names, if it is of this terminal and epoch.

    Raises:
        WrongRequestError: it is not, or reads otherwise.
    """
    match = _RECEIPT.match(receipt.strip().upper())
    if match is None:
        raise WrongRequestError(f"{receipt!r} is no receipt's number; it reads like T001-0017")
    terminal, of_epoch, seq = int(match[1]), int(match[2] or 1), int(match[3])
    if (terminal, of_epoch) != (ordinal, epoch):
        raise WrongRequestError(
            f"{receipt} is of another terminal or epoch; take it back there, or ask the office"
        )
    return seq


def _voidable(act: Act, seq: int, moment: Moment) -> tuple[Entry, Redemption | Pending]:
    """The redemption of that number, if it still may be taken back at the counter."""
    entry = act.entry(seq)
    given = entry.content if entry else None
    if entry is None or not isinstance(given, Redemption | Pending):
        raise WrongRequestError(f"entry {seq} of this terminal is no redemption; check the slip")
    number = entry.id.number()
    if act.is_voided(seq):
        raise WrongRequestError(f"{number} was taken back already")
    if isinstance(given, Pending) and not act.cards.is_committed(seq):
        raise UnfinishedError(f"{number} is not finished; tap its card again first")
    if entry.body.moment.early < day_begins(moment.early) or act.closed_since(seq):
        raise TooLateError(
            f"{number} is of a day that is closed; ask the kecamatan office for a correction"
        )
    return entry, given


def _words(text: str, longest: int, told: str) -> str:
    words = " ".join(text.split())
    if not 0 < len(words) <= longest:
        raise WrongRequestError(f"{told}, in 1 to {longest} characters")
    return words
