"""What comes after a redemption: the goods went over the counter, or it is taken back."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.clock import Moment, day_begins, judge_time
from ledger.entry import Closed, Content, Entry, Handover, Redemption, Void
from ledger.journal import Act
from ledger.totals import total_up
from terminal.errors import WrongRequestError
from terminal.redeem import Desk, append

INITIALS_MAX = 12


@dataclass(frozen=True, slots=True)
class Voided:
    """A redemption was taken back; only now may goods and money be taken back too.

    Attributes:
        number: receipt number of what was taken back.
        void: number of the entry that says so.
    """

    number: str
    void: str


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
    content = Void(seq, _words(reason, 80, "say why"), second_person(desk, second))
    floors = desk.journal.floors()
    with desk.journal.act() as act:
        moment = judge_time(desk.clock.read(), floors, act.head.moment)
        redemption = _voidable(act, seq, moment)
        entry, _ = append(desk, act, moment, content)
    return Voided(redemption.id.number(), entry.id.number())


def answer_handover(desk: Desk, *, handed_over: bool, second: str = "") -> Entry:
    """Answer the question after a restart: did the goods of the last redemption go over?

    Yes records it. No takes the redemption back, with a second person.

    Raises:
        WrongRequestError: nothing is asked, or the second person is missing.
        NotSavedError: the disk refused; the question stands.
        JournalDamagedError: the journal is damaged; service stops.
    """
    floors = desk.journal.floors()
    with desk.journal.act() as act:
        seq = act.awaiting_handover(0)
        if seq is None or seq > desk.handover_since:
            raise WrongRequestError("no hand-over is in question; nothing was recorded")
        content: Content = Handover(seq)
        if not handed_over:
            content = Void(seq, "not handed over before a restart", second_person(desk, second))
        moment = judge_time(desk.clock.read(), floors, act.head.moment)
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
    floors = desk.journal.floors()
    with desk.journal.act() as act:
        if act.is_closed() or act.head.seq == 0:
            return None
        closed = total_up(*act.day(), act.entry)
        moment = judge_time(desk.clock.read(), floors, act.head.moment)
        append(desk, act, moment, closed)
    return closed


def second_person(desk: Desk, initials: str) -> str:
    """Initials of somebody who is not the officer who serves.

    Raises:
        WrongRequestError: none, too long, or the officer's own.
    """
    initials = _words(initials, INITIALS_MAX, "give the initials of a second person")
    if initials.casefold() == desk.officer.casefold():
        raise WrongRequestError(f"{initials} serves here; a second person must agree")
    return initials


def _voidable(act: Act, seq: int, moment: Moment) -> Entry:
    """The redemption of that number, if it still may be taken back at the counter."""
    entry = act.entry(seq)
    if entry is None or not isinstance(entry.content, Redemption):
        raise WrongRequestError(f"entry {seq} of this terminal is no redemption; check the slip")
    number = entry.id.number()
    if act.is_voided(seq):
        raise WrongRequestError(f"{number} was taken back already")
    if entry.body.moment.early < day_begins(moment.early) or act.closed_since(seq):
        raise WrongRequestError(
            f"{number} is of a day that is closed; ask the kecamatan office for a correction"
        )
    return entry


def _words(text: str, longest: int, told: str) -> str:
    words = " ".join(text.split())
    if not 0 < len(words) <= longest:
        raise WrongRequestError(f"{told}, in 1 to {longest} characters")
    return words
