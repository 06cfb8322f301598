"""A counter: one terminal's folder opened for serving. Pages and commands talk to it alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from card_codec.refusal import Refused
from ledger.boot import check_for_service
from ledger.clock import Clock, SystemClock, day_begins
from ledger.custody import FileCustody, KeyCustody
from ledger.day_room import DayRoom
from ledger.entry import Closed, Kind, Presented
from ledger.errors import JournalError, RightsError
from ledger.folder import TerminalFolder
from ledger.install import Installed, forget_installed, now_here, take_in_box
from ledger.journal import Journal, open_journal
from ledger.policy import DAY, Policy, Programme, Scope
from ledger.rights import Rights
from ledger.roll import terminal_name
from ledger.space import Room, free_bytes
from terminal import decision
from terminal.after import Voided, answer_handover, close_day, void
from terminal.decision import Approved, ChooseMember, Found, Verdict
from terminal.disk_watch import DiskWatch
from terminal.errors import WrongRequestError
from terminal.exposure import Exposure
from terminal.exposure_at import exposure_at, given_unheard
from terminal.look_up import PeopleDrawer, look_up
from terminal.redeem import (
    Desk,
    Presentation,
    Redeemed,
    away_served,
    look,
    redeem,
    refuse_without_ledger,
)
from terminal.tally import Tally


@dataclass(frozen=True, slots=True)
class Request:
    """What an officer asks for: a programme by its id, a person, a quantity."""

    programme: str
    member: int | None = None
    quantity: int | None = None


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


class Counter:
    """One open terminal. Safe to call from several threads."""

    def __init__(
        self,
        folder: TerminalFolder,
        journal: Journal,
        clock: Clock,
        *,
        custody: KeyCustody,
        serving: bool = False,
        free: Room = free_bytes,
    ) -> None:
        self.folder = folder
        self._watch = DiskWatch(folder.root, free)
        self._drawer = PeopleDrawer(folder, custody)
        self._lock = threading.RLock()
        self._problem: str | None = None
        self._tally = Tally()
        self._desk = Desk(
            journal=journal,
            rights=None,
            signer=folder.signer(),
            clock=clock,
            officer=folder.config.officer,
            away_quota=0,
            handover_since=journal.head().seq if serving else 0,
            point=folder.config.point,
        )
        self._open_rights()

    def take_in_box(self) -> Installed:
        """Verify and install what was brought, and serve by it from now on."""
        with self._lock:
            desk = self._desk
            installed = take_in_box(self.folder, desk.journal, desk.clock.read())
            self._problem = installed.problem
            if installed.changed or self._is_outdated():
                self._open_rights()
            if self.policy is not None:
                now = now_here(self._desk.journal, self._desk.clock.read())
                self._drawer.purge_settled(self.policy, now.early)
            return installed

    @property
    def policy(self) -> Policy | None:
        """The policy that is installed; None before a ledger is."""
        rights = self._desk.rights
        return rights.policy if rights else None

    def programmes(self) -> tuple[Programme, ...]:
        """Programmes the policy names; none before a ledger is installed."""
        rights = self._desk.rights
        return rights.policy.programmes if rights else ()

    def programme(self, name: str) -> Programme:
        """A programme by its id.

        Raises:
            WrongRequestError: the policy names no such programme.
        """
        for programme in self.programmes():
            if programme.id == name:
                return programme
        known = ", ".join(p.id for p in self.programmes()) or "none: no ledger is installed"
        raise WrongRequestError(f"no programme {name!r} in the policy; it names {known}")

    def look(self, presentation: Presentation, request: Request) -> Verdict:
        """Judge without giving; a refusal is recorded."""
        with self._acting():
            if self._desk.rights is None:
                return refuse_without_ledger(self._desk, presentation)
            asked = _checked(self.programme(request.programme), request)
            if self._watch.is_full():
                return self._watch.refuse(self._desk, presentation)
            return look(self._with_people(), presentation, asked)

    def redeem(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        """Give or refuse; recorded and durable when this returns."""
        with self._acting():
            if self._desk.rights is None:
                return refuse_without_ledger(self._desk, presentation)
            asked = _checked(self.programme(request.programme), request)
            if self._watch.is_full():
                return self._watch.refuse(self._desk, presentation)
            return redeem(self._with_people(), presentation, asked)

    def look_up(self, typed: str) -> Found | Refused:
        """Find a family by a number of its KTP or KK; the look-up is recorded, never the number."""
        with self._acting():
            return look_up(self._with_people(), self._drawer.custody, typed)

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """One act at a time, with an eye on the disk."""
        with self._lock, self._watch.over(self._desk):
            yield

    def let_go(self) -> None:
        """If the day was closed meanwhile, keep nobody's name any longer."""
        with self._lock:
            self._with_people()

    def void(self, seq: int, *, reason: str, second: str) -> Voided:
        """Take back a redemption of today, with a second person; durable when it returns."""
        with self._acting():
            return void(self._desk, seq, reason=reason, second=second)

    def close_day(self) -> Closed | None:
        """Close the day with its totals; None when nothing happened since the last close."""
        with self._acting():
            return close_day(self._desk)

    def answer_handover(self, *, handed_over: bool, second: str = "") -> None:
        """Answer whether the goods of the last redemption before a restart went over."""
        with self._acting():
            answer_handover(self._desk, handed_over=handed_over, second=second)

    def state(self) -> CounterState:
        """What the screen says now."""
        with self._lock:
            return self._state()

    def exposure(self, *, event: int | None = None) -> Exposure:
        """What could be given twice and what a thief could give, here and at an event."""
        with self._lock:
            return exposure_at(self._desk, event=event)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._desk.journal.close()
            if self._desk.rights:
                self._desk.rights.close()

    def _with_people(self) -> Desk:
        self._desk.people = self._drawer.look()
        return self._desk

    def _is_outdated(self) -> bool:
        """Whether another process of this terminal has installed a ledger since."""
        rights, inode = self._desk.rights, _inode(self.folder.rights)
        return inode is not None and (rights is None or inode != rights.inode)

    def _open_rights(self) -> None:
        """Serve by what is installed; if it is damaged, the next look into the box mends it."""
        desk = self._desk
        try:
            rights = Rights(self.folder.rights)
            rights.check_pages()
        except RightsError as error:
            self._problem = self._problem or str(error)
            forget_installed(self.folder)
            return
        if desk.rights is not None:
            desk.rights.close()
        me = rights.roll.terminal(self.folder.config.ordinal, self.folder.config.epoch)
        self._desk = replace(desk, rights=rights, away_quota=me.away_households if me else 0)

    def _state(self) -> CounterState:
        desk = self._desk
        journal, rights = desk.journal, desk.rights
        moment = now_here(journal, desk.clock.read())
        today = day_begins(moment.early)
        self._tally.follow(journal)
        head, acknowledged = journal.head(), journal.acknowledged()
        known_to_all = acknowledged.seq if acknowledged else 0
        last = journal.last_redemption()
        away_left = None
        if rights is not None:
            away_left = desk.away_quota - len(away_served(rights, journal.known(), moment))
        return CounterState(
            served_today=self._tally.count(Kind.REDEMPTION, since=today),
            refused_today=self._tally.count(Kind.REFUSAL, since=today),
            waiting=head.seq - known_to_all,
            ledger_version=rights.versions.ledger if rights else None,
            ledger_time=rights.versions.timestamp_time if rights else None,
            age_days=max(0, moment.late - rights.versions.timestamp_time) // DAY
            if rights
            else None,
            last=Last(last[0].id.number(), last[0].body.moment.early, last[1]) if last else None,
            head=head.leaf.hex() if head.seq else "",
            seq=head.seq,
            away_left=away_left,
            twice_rupiah=given_unheard(desk),
            clock_wrong=moment.clock_wrong,
            at=moment.early,
            asks_handover=bool(last and not last[1] and last[0].body.seq <= desk.handover_since),
            last_refusal=self._tally.last_refusal,
            problem=self._problem or next(iter(desk.people.problems), None),
        )


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _checked(programme: Programme, request: Request) -> decision.Request:
    """A request that makes sense for its programme.

    Raises:
        WrongRequestError: it does not.
    """
    if request.member is not None and programme.scope is Scope.HOUSEHOLD:
        raise WrongRequestError(f"{programme.id} is for the whole household; leave out member")
    if request.member is not None and not 1 <= request.member <= 255:
        raise WrongRequestError("a member is a number from 1 to 255")
    if request.quantity is not None and not 1 <= request.quantity < 2**24:
        raise WrongRequestError("a quantity is a whole number from 1 on")
    return decision.Request(programme, request.member, request.quantity)


def open_counter(
    folder: TerminalFolder,
    *,
    clock: Clock | None = None,
    serving: bool = False,
    room: DayRoom | None = None,
    free: Room = free_bytes,
) -> Counter:
    """Open a terminal's folder for serving.

    Args:
        folder: the terminal's.
        clock: that of the machine if not given.
        serving: whether a page is served; hand-overs of before are then asked about.
        room: where the day's key lies when the day is open.
        free: bytes that may still be written where a folder lies.

    Raises:
        LedgerError: the folder, the key or the journal cannot be used.
    """
    journal = open_journal(folder.journal)
    try:
        _check_identity(folder, journal)
        check_for_service(journal)
        clock = clock or SystemClock()
        custody = FileCustody(room, clock)
        return Counter(folder, journal, clock, custody=custody, serving=serving, free=free)
    except BaseException:
        journal.close()
        raise


def _check_identity(folder: TerminalFolder, journal: Journal) -> None:
    """The journal, the configuration and the key belong to one terminal and epoch."""
    config, whose = folder.config, journal.identity
    if (whose.terminal, whose.epoch) != (config.ordinal, config.epoch):
        begun = terminal_name(whose.terminal, whose.epoch)
        named = terminal_name(config.ordinal, config.epoch)
        raise JournalError(f"{journal.path} is the journal of {begun}; terminal.toml names {named}")
    if folder.signer().public != whose.key:
        raise JournalError(
            f"{folder.signing_key} is not the key {journal.path} was begun with; bring that key"
            " back, or ask the office for a new epoch"
        )


__all__ = [
    "Approved",
    "ChooseMember",
    "Counter",
    "CounterState",
    "Found",
    "Presentation",
    "Presented",
    "Redeemed",
    "Request",
    "open_counter",
]
