"""A counter: one terminal's folder opened for serving. Pages and commands talk to it alone."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from card_codec.chip.apdu import CardLink
from card_codec.chip.secure import Draw
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.boot import check_for_service
from ledger.card_keys import CardKeyDrawer
from ledger.chip_keys import oldest_generations
from ledger.clock import Clock, SystemClock
from ledger.custody import FileCustody, KeyCustody
from ledger.day_room import DayRoom
from ledger.entry import Closed, Presented
from ledger.errors import JournalError, RightsError
from ledger.folder import TerminalFolder
from ledger.install import Installed, forget_installed, now_here, take_in_box
from ledger.journal import Journal, open_journal
from ledger.policy import Policy, Programme, Scope
from ledger.rights import Rights
from ledger.roll import terminal_name
from ledger.space import Room, free_bytes
from terminal import decision
from terminal.after import (
    Voided,
    answer_handover,
    check_void,
    close_day,
    confirm_clock,
)
from terminal.chip_tap import Tap, hear_chip
from terminal.complaint import Filed, file_complaint
from terminal.counter_state import CounterState, state_of
from terminal.decision import Approved, ChooseMember, Found, Verdict
from terminal.disk_watch import DiskWatch
from terminal.errors import WrongRequestError
from terminal.exception import ByTwo, look_past, redeem_by_exception
from terminal.exposure import Exposure
from terminal.exposure_at import exposure_at
from terminal.look_up import PeopleDrawer, look_up
from terminal.redeem import (
    Desk,
    Presentation,
    Redeemed,
    look,
    redeem,
    refuse_without_ledger,
)
from terminal.redeem_chip import (
    Begun,
    begin,
    commit_on_card,
    finish,
    judge_shown,
    look_at_chip,
)
from terminal.tally import Tally
from terminal.void_chip import VoidOrder, take_back

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Request:
    """What an officer asks for: a programme by its id, a person, a quantity.

    Attributes:
        second: initials of a second officer: both agree to an exception, if one is needed.
    """

    programme: str
    member: int | None = None
    quantity: int | None = None
    second: str | None = None


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
        self._card_keys = CardKeyDrawer(folder, custody)
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
            installed = take_in_box(self.folder, self._desk.journal, self._desk.clock.read())
            self._problem = installed.problem
            if installed.changed or _is_outdated(self._desk.rights, self.folder.rights):
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
        return self.policy.programmes if self.policy else ()

    def programme(self, name: str) -> Programme:
        """A programme by its id.

        Raises:
            WrongRequestError: the policy names no such programme.
        """
        return _named(self.programmes(), name)

    def tap(self, link: CardLink, *, atr: bytes = b"", draw: Draw = secrets.token_bytes) -> Tap:
        """Hear the chip on a reader; show what comes of it as `Presentation.of_tap`.

        Raises:
            ChipLinkError: the card stopped answering; nothing was written to it.
            RecordError: the keys of this terminal are damaged.
        """
        with self._lock:
            rights = self._desk.rights
            if rights is None:
                return Tap(b"", Refused(Reason.NO_LEDGER))
            keys = self._card_keys.look(oldest_generations(rights.policy.chip_keys))
            as_of = self._desk.journal.head().seq
        return replace(hear_chip(link, rights.trust, keys, atr=atr, draw=draw), as_of=as_of)

    def look(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        """Judge without giving; only a chip that had left too early may show that it was given."""
        with self._acting():
            if self._desk.rights is None:
                return _told(self._desk, refuse_without_ledger(self._desk, presentation))
            asked = _checked(self.programme(request.programme), request)
            if self._watch.is_full():
                return self._watch.refuse(self._desk, presentation)
            if presentation.tap is not None:
                return _told(self._desk, look_at_chip(self._with_people(), presentation.tap, asked))
            return _told(self._desk, look(self._with_people(), presentation, asked))

    def look_past(self, presentation: Presentation, request: Request, why: Reason) -> ByTwo | None:
        """What two officers could give in spite of a refusal; None where they could not."""
        with self._acting():
            asked = _checked(self.programme(request.programme), request)
            return look_past(self._with_people(), presentation, asked, why, again=judge_shown)

    def redeem(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        """Give or refuse; recorded and durable when this returns."""
        with self._acting():
            if self._desk.rights is None:
                return _told(self._desk, refuse_without_ledger(self._desk, presentation))
            asked = _checked(self.programme(request.programme), request)
            if self._watch.is_full():
                return self._watch.refuse(self._desk, presentation)
            desk, tap, second = self._with_people(), presentation.tap, request.second
            if tap is None:
                give = redeem if second is None else partial(redeem_by_exception, second=second)
                return _told(self._desk, give(desk, presentation, asked))
            begun = begin(desk, tap, asked, second=second)
            if not isinstance(begun, Begun):
                return _told(self._desk, begun)
        commit = commit_on_card(begun)  # other counters of this terminal go on meanwhile
        with self._acting():
            return finish(self._desk, begun, commit)

    def look_up(self, typed: str) -> Found | Refused:
        """Find a family by a number of its KTP or KK; the look-up is recorded, never the number."""
        with self._acting():
            return _told(self._desk, look_up(self._with_people(), self._drawer.custody, typed))

    def file_complaint(self, about: int | None = None, *, programme: str = "") -> Filed | Refused:
        """File a complaint about a refusal, the newest if none is named; durable when returned."""
        with self._acting():
            number = self.programme(programme).number if programme else 0
            return file_complaint(self._desk, about, programme=number)

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """One act at a time, with an eye on the disk."""
        with self._lock, self._watch.over(self._desk):
            yield

    def let_go(self) -> None:
        """If the day was closed meanwhile, keep nobody's name any longer."""
        with self._lock:
            self._with_people()

    def check_void(self, seq: int, *, reason: str, second: str) -> bytes | None:
        """Look whether a redemption may be taken back; UID of the chip that took it, if one did."""
        with self._acting():
            return check_void(self._desk, seq, reason=reason, second=second)

    def void(self, seq: int, *, reason: str, second: str, tap: Tap | None = None) -> Voided:
        """Take back a redemption of today, with a second person; durable when it returns.

        Args:
            tap: the chip that took it, if it is at hand: it writes the void down, too.
        """
        return take_back(self._desk, self._acting, VoidOrder(seq, reason, second), tap)

    def confirm_clock(self, *, second: str) -> int:
        """Record that two officers found the clock right; gives what it said, Unix seconds."""
        with self._acting():
            return confirm_clock(self._desk, second=second)

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
            problem = self._problem or next(iter(self._desk.people.problems), None)
            return state_of(self._desk, self._tally, problem)

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


def _told(desk: Desk, outcome: Told) -> Told:
    """With the number of the entry by which it was refused, so that it can be complained of."""
    if isinstance(outcome, Refused) and desk.refused:
        return replace(outcome, entry=desk.refused)
    return outcome


def _named(programmes: tuple[Programme, ...], name: str) -> Programme:
    for programme in programmes:
        if programme.id == name:
            return programme
    known = ", ".join(p.id for p in programmes) or "none: no ledger is installed"
    raise WrongRequestError(f"no programme {name!r} in the policy; it names {known}")


def _is_outdated(rights: Rights | None, path: Path) -> bool:
    """Whether another process of this terminal has installed a ledger since."""
    inode = _inode(path)
    return inode is not None and (rights is None or inode != rights.inode)


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
