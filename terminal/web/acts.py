"""Acts of the page: what was shown, what came of it, and that none of it happens twice.

A scanner may send a code twice, a finger may press Enter twice, a browser may send a request
again. Each look at a card is an act with an id of its own; giving is asked for by that id, so that
one act is one redemption however often it is asked for.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.entry import Presented
from ledger.policy import Limit, Programme
from terminal.counter import Approved, ChooseMember, Found, Presentation, Redeemed, Request
from terminal.decision import Verdict
from terminal.exception import ByTwo

SAME_CARD_SECONDS = 3.0
"""A card seen again within this gets the same answer: never a false SUDAH DIAMBIL."""
DONE_SECONDS = 2.0
"""How long the page shows what was recorded; a scan meanwhile is the same card, still there."""
_ACTS_KEPT = 64

Outcome = Verdict | Redeemed | Found


class Judge(Protocol):
    """What acts need of a counter."""

    def programmes(self) -> tuple[Programme, ...]:
        """Programmes that can be served."""
        ...

    def look(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        """Judge without giving; only a chip's own memory may make it more."""
        ...

    def look_past(self, presentation: Presentation, request: Request, why: Reason) -> ByTwo | None:
        """What two officers could give in spite of a refusal; None where they could not."""
        ...

    def redeem(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        """Give or refuse; durable when it returns."""
        ...

    def look_up(self, typed: str) -> Found | Refused:
        """Find a family by a number of its KTP or KK."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One card shown for one programme.

    Attributes:
        presentation: kept only while it may still be needed to give.
        same_until: monotonic time until which the same card gets this same act.
        began: monotonic time of its first sight.
        again: it was seen before and is the same act.
        by_two: what two officers could give in spite of its refusal.
    """

    id: str
    key: bytes
    presentation: Presentation | None
    request: Request
    outcome: Outcome
    same_until: float
    began: float
    again: bool = False
    by_two: ByTwo | None = None


class Acts:
    """The last acts of this start. Safe to call from several threads.

    One looks at a time; while one gives, and its card perhaps commits, the others go on. Only who
    asks for that same act, or shows its card, waits for what comes of it.
    """

    def __init__(self, counter: Judge, *, monotonic: Callable[[], float]) -> None:
        self._counter = counter
        self._monotonic = monotonic
        self._lock = threading.Condition()
        self._giving: set[str] = set()
        self._acts: OrderedDict[str, Act] = OrderedDict()
        self._newest: dict[bytes, str] = {}
        self._seconds = 0.0
        self._count = 0

    def show(self, presentation: Presentation, request: Request, *, meant: bool = False) -> Act:
        """Look at a card. The same card again within three seconds is the same act.

        Args:
            presentation: what was shown.
            request: what for.
            meant: a person shows it once more on purpose: an act of its own, however soon.
        """
        key = _key(presentation, request)
        with self._lock:
            self._lock.wait_for(lambda: self._newest.get(key) not in self._giving)
            now = self._monotonic()
            seen = self._acts.get(self._newest.get(key, ""))
            if seen is not None and now <= seen.same_until and not meant:
                again = replace(seen, same_until=max(seen.same_until, now + SAME_CARD_SECONDS))
                self._keep(again)
                return replace(again, again=True)
            asked = self._with_quantity(request)
            outcome = self._counter.look(presentation, asked)
            by_two = self._look_past(presentation, asked, outcome)
            waits = isinstance(outcome, Approved | ChooseMember) or by_two is not None
            act = Act(
                id=secrets.token_urlsafe(16),
                key=key,
                presentation=presentation if waits else None,
                request=asked,
                outcome=outcome,
                same_until=now + SAME_CARD_SECONDS,
                began=now,
                by_two=by_two,
            )
            self._keep(act)
            return act

    def look_up(self, typed: str, request: Request) -> Act:
        """Look for a family; the act holds whom it led to, never what was typed."""
        with self._lock:
            asked = self._with_quantity(request)
            outcome = self._counter.look_up(typed)
            now, id = self._monotonic(), secrets.token_urlsafe(16)
            act = Act(
                id=id,
                key=id.encode(),
                presentation=Presentation.of_found(outcome) if isinstance(outcome, Found) else None,
                request=asked,
                outcome=outcome,
                same_until=now,
                began=now,
            )
            self._keep(act)
            return act

    def match(self, id: str) -> Act | None:
        """The officer has compared the family with its KTP or KK; None if no longer held."""
        with self._lock:
            act = self._acts.get(id)
        if act is None or act.presentation is None or not isinstance(act.outcome, Found):
            return None
        return self.show(act.presentation, act.request)

    def choose(self, id: str, member: int) -> Act | None:
        """Look again for one member of the household; None if that act is no longer held."""
        with self._lock:
            act = self._acts.get(id)
        if act is None or act.presentation is None:
            return None
        return self.show(act.presentation, replace(act.request, member=member, quantity=None))

    def shown(self, id: str) -> Act | None:
        """The act as it stands; None if no longer held."""
        with self._lock:
            self._lock.wait_for(lambda: id not in self._giving)
            return self._acts.get(id)

    def chip_of(self, id: str) -> bytes | None:
        """UID of the chip that must lie on the reader to give what that act showed; None for paper.

        A chip of which no key is held here is not asked anything more. An act that is being given
        is waited for: what comes of it is the answer.
        """
        with self._lock:
            self._lock.wait_for(lambda: id not in self._giving)
            act = self._acts.get(id)
        tap = act.presentation.tap if act and act.presentation else None
        waits = act is not None and (isinstance(act.outcome, Approved) or act.by_two is not None)
        return tap.uid if tap is not None and tap.chip is not None and waits else None

    def give(
        self, id: str, chip: Presentation | None = None, *, second: str | None = None
    ) -> Act | None:
        """Record what the act showed; asked again, the answer is the same. None if not held.

        Args:
            id: of the act.
            chip: the act's chip, as it lies on the reader now.
            second: initials of a second officer: both give in spite of the act's refusal.

        Raises:
            SecondPersonError: nobody else agreed; nothing was recorded.
            NotSavedError: nothing was recorded; the same act may be tried again.
            JournalDamagedError: service stops.
        """
        with self._lock:
            self._lock.wait_for(lambda: id not in self._giving)
            act = self._acts.get(id)
            approved = _approved(act, second=second)
            if act is None or act.presentation is None or approved is None:
                return act
            self._giving.add(id)
        try:
            # Exactly what stood on the screen is recorded, or nothing.
            asked = replace(act.request, quantity=approved.quantity, second=second)
            outcome = self._counter.redeem(chip or act.presentation, asked)
            with self._lock:
                return self._given(act, outcome, timed=second is None)
        finally:
            with self._lock:
                self._giving.discard(id)
                self._lock.notify_all()

    def _given(self, act: Act, outcome: Outcome, *, timed: bool) -> Act:
        """Keep what came of an act; its card is not needed any more."""
        now = self._monotonic()
        by_camera = act.presentation and act.presentation.presented is Presented.PICTURE
        stays = SAME_CARD_SECONDS if by_camera else DONE_SECONDS
        done = replace(
            act,
            presentation=None,
            by_two=None,
            outcome=outcome,
            same_until=now - 1 if _asks_again(outcome) else max(act.same_until, now + stays),
        )
        self._keep(done)
        if timed and isinstance(outcome, Redeemed):
            self._count += 1
            self._seconds += now - act.began
        return done

    def _look_past(
        self, presentation: Presentation, request: Request, outcome: Outcome
    ) -> ByTwo | None:
        if not isinstance(outcome, Refused):
            return None
        return self._counter.look_past(presentation, request, outcome.reason)

    @property
    def mean_seconds(self) -> float | None:
        """From sight to record, mean of this start; None before the first."""
        return self._seconds / self._count if self._count else None

    def _with_quantity(self, request: Request) -> Request:
        """Visits go one at a time; of everything else all that is left."""
        limit = next(
            (p.limit for p in self._counter.programmes() if p.id == request.programme), None
        )
        one = limit is Limit.VISITS and request.quantity is None
        return replace(request, quantity=1) if one else request

    def _keep(self, act: Act) -> None:
        self._acts[act.id] = act
        self._acts.move_to_end(act.id)
        self._newest[act.key] = act.id
        while len(self._acts) > _ACTS_KEPT:
            _, old = self._acts.popitem(last=False)
            if self._newest.get(old.key) == old.id:
                del self._newest[old.key]


def _approved(act: Act | None, *, second: str | None) -> Approved | None:
    """What stood on the act's screen, to be given by one officer or by two."""
    if act is None:
        return None
    if second is not None:
        return act.by_two.approved if act.by_two else None
    return act.outcome if isinstance(act.outcome, Approved) else None


def _asks_again(outcome: Outcome) -> bool:
    """Whether the same card is wanted at once: what it left unfinished it alone can tell."""
    return isinstance(outcome, Refused) and outcome.reason is Reason.CARD_UNFINISHED


def _key(presentation: Presentation, request: Request) -> bytes:
    """What makes two sights the same: the card, chip or family found, the programme, the person."""
    found, tap = presentation.found, presentation.tap
    shown = found.household if found else presentation.text.strip().upper().encode()
    shown = b"chip" + tap.uid if tap else shown
    card = hashlib.sha256(shown).digest()
    return card + f"{request.programme}/{request.member}".encode()
