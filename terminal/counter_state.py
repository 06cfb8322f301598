"""What a counter's screen says beside the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.clock import day_begins
from ledger.element import RedemptionId
from ledger.entry import Kind
from ledger.install import now_here
from ledger.newer import NOTHING_NEWER, Newer, newer_there
from ledger.policy import DAY
from terminal.exposure_at import given_unheard
from terminal.redeem import Desk, away_served
from terminal.tally import Tally


@dataclass(frozen=True, slots=True)
class Last:
    """The newest redemption that stands."""

    number: str
    at: int
    handed_over: bool


@dataclass(frozen=True, slots=True)
class CounterState:
    """What the counter's screen says beside the verdict.

    Attributes:
        waiting: entries the province has not acknowledged.
        ledger_time: when the installed ledger was signed online, Unix seconds.
        head: leaf hash of the newest entry (hex).
        away_left: households that may still be served away; None without a ledger.
        twice_rupiah: worth of what was given away and no other terminal can know yet.
        asks_handover: the last redemption was made before a restart; was it handed over?
        last_refusal: reason of the newest refusal, None before the first.
        problem: why what was brought last was not installed.
        unfinished: receipt numbers of redemptions whose chip left too early; each is reserved until
            the same card is tapped here again.
        newer: what the province's word says is newer there than here.
    """

    served_today: int
    refused_today: int
    waiting: int
    ledger_version: int | None
    ledger_time: int | None
    age_days: int | None
    last: Last | None
    head: str
    seq: int
    away_left: int | None
    twice_rupiah: int
    clock_wrong: bool
    at: int
    asks_handover: bool
    last_refusal: str | None
    problem: str | None
    unfinished: tuple[str, ...] = ()
    newer: Newer = NOTHING_NEWER


def state_of(desk: Desk, tally: Tally, problem: str | None) -> CounterState:
    """What the screen says now."""
    journal, rights = desk.journal, desk.rights
    me = journal.identity
    moment = now_here(journal, desk.clock.read())
    today = day_begins(moment.early)
    tally.follow(journal)
    head, acknowledged = journal.head(), journal.acknowledged()
    known_to_all = acknowledged.seq if acknowledged else 0
    last = journal.last_redemption()
    signed = rights.versions.timestamp_time if rights else None
    away_left = None
    if rights is not None:
        away_left = desk.away_quota - len(away_served(rights, journal.known(), moment))
    return CounterState(
        served_today=tally.count(Kind.REDEMPTION, since=today),
        refused_today=tally.count(Kind.REFUSAL, since=today),
        waiting=head.seq - known_to_all,
        ledger_version=rights.versions.ledger if rights else None,
        ledger_time=signed,
        age_days=None if signed is None else max(0, moment.late - signed) // DAY,
        last=Last(last.entry.id.number(), last.entry.body.moment.early, last.handed_over)
        if last
        else None,
        head=head.leaf.hex() if head.seq else "",
        seq=head.seq,
        away_left=away_left,
        twice_rupiah=given_unheard(desk),
        clock_wrong=moment.clock_wrong,
        at=moment.early,
        asks_handover=bool(last and not last.handed_over and last.at <= desk.handover_since),
        last_refusal=tally.last_refusal,
        problem=problem,
        unfinished=tuple(
            RedemptionId(me.terminal, me.epoch, one.seq).number() for one in journal.cards().open()
        ),
        newer=newer_there(journal, rights),
    )
