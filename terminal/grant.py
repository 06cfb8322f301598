"""Rules of what is left: from which window how much may be given now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.clock import Moment, day_begins
from ledger.element import Right
from ledger.policy import DAY, Limit, Programme, Scope, Window
from ledger.rights import Household
from ledger.union import Taken
from terminal.verdict import Here, Request


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be given from one window; ``left`` before it, None where there is no limit."""

    window: Window
    right: Right
    quantity: int
    left: int | None


def find_grant(request: Request, household: Household, here: Here) -> Grant | Refused:
    """From which window how much may be given: of the open ones, the first to close that holds it.

    A stage may still run when the next has begun; what was taken of one says nothing of the other.
    """
    windows = sorted(request.programme.windows, key=lambda w: w.closes)
    rights = [(w, _right(request, household, w)) for w in windows]
    owed = [(w, r, q) for w, r in rights if (q := here.quantity_of(r)) is not None]
    if not owed:
        return Refused(Reason.NOT_ENTITLED)
    refused: list[Refused] = []
    for window, right, quantity in owed:
        if not _is_open(request.programme, window, right, here):
            continue
        grant = _from_window(request, window, right, owed=quantity, here=here)
        if not isinstance(grant, Refused):
            not_now = _shut(request, grant, here) or _too_soon(request, grant, here)
            if not_now is None:
                return grant
            grant = not_now
        refused.append(grant)
    if not refused:
        return _no_window([window for window, _, _ in owed], here.moment)
    return next((r for r in refused if r.reason is Reason.MORE_THAN_LEFT), refused[-1])


def find_unlisted_grant(request: Request, household: bytes, here: Here) -> Grant | Refused:
    """One unit to a family of which nothing is known here but what it took."""
    windows = sorted(request.programme.windows, key=lambda w: w.closes)
    window = next((w for w in windows if _runs(w, here.moment)), None)
    if window is None:
        return _no_window(windows, here.moment)
    right = Right(household, 0, request.programme.number, window.number)
    grant = _from_window(request, window, right, owed=1, here=here)
    if isinstance(grant, Refused):
        return grant
    if grant.quantity > 1:
        return Refused(Reason.MORE_THAN_LEFT, Facts(count=1))
    return _shut(request, grant, here) or _too_soon(request, grant, here) or grant


def _right(request: Request, household: Household, window: Window) -> Right:
    member = (request.member or 0) if request.programme.scope is Scope.PERSON else 0
    return Right(household.row.household, member, request.programme.number, window.number)


def _is_open(programme: Programme, window: Window, right: Right, here: Here) -> bool:
    """Open from early ≥ its opening until late > its close.

    What is left of it may be carried into a later window, or be the rest of a part given in time.
    """
    if _runs(window, here.moment):
        return True
    carried = programme.carried(window)
    if carried is not None and _runs(carried, here.moment):
        return True
    opened, late = here.moment.early >= window.opens, here.moment.late
    return opened and late <= window.rest_until and here.taken_of(right).total > 0


def _runs(window: Window, moment: Moment) -> bool:
    return moment.early >= window.opens and moment.late <= window.closes


def _no_window(windows: list[Window], moment: Moment) -> Refused:
    """No window is open; they come in the order in which they close."""
    coming = [w.opens for w in windows if moment.early < w.opens]
    if coming:
        return Refused(Reason.WINDOW_NOT_OPEN, Facts(day=min(coming)))
    return Refused(Reason.WINDOW_CLOSED, Facts(day=windows[-1].closes))


def _from_window(
    request: Request, window: Window, right: Right, *, owed: int, here: Here
) -> Grant | Refused:
    """How much of one right may be given, and what was left before."""
    if request.programme.limit is Limit.STATUS:
        return Grant(window, right, request.quantity or 1, None)
    taken = here.taken_of(right)
    left = owed - taken.total
    if left <= 0:
        return Refused(_taken_or_unfinished(taken, here), when_and_where(taken, here))
    quantity = left if request.quantity is None else request.quantity
    if quantity > left:
        return Refused(Reason.MORE_THAN_LEFT, Facts(count=left))
    return Grant(window, right, quantity, left)


def _taken_or_unfinished(taken: Taken, here: Here) -> Reason:
    """What this chip left unfinished here was perhaps never given; it is reserved all the same."""
    id = taken.latest.id if taken.latest else None
    if here.chip and id and (id.terminal, id.epoch, id.seq) in here.chip.open_here:
        return Reason.CARD_PENDING_ELSEWHERE
    return Reason.ALREADY_REDEEMED


def _shut(request: Request, grant: Grant, here: Here) -> Refused | None:
    """Of some programmes a family, or a person, takes one alone: in windows that overlap."""
    until = request.programme.ends(grant.window)
    for other in here.shut_by:
        for window in other.windows:
            if window.opens > until or other.ends(window) < grant.window.opens:
                continue
            right = replace(grant.right, programme=other.number, window=window.number)
            taken = here.taken_of(right)
            if taken.total > 0:
                facts = replace(when_and_where(taken, here), programme=other.id)
                return Refused(Reason.ONE_OF_TAKEN, facts)
    return None


def _too_soon(request: Request, grant: Grant, here: Here) -> Refused | None:
    """So many days from one hand-over to the next, whatever window each is of."""
    days = request.programme.days_between
    if not days:
        return None
    rights = [replace(grant.right, window=w.number) for w in request.programme.windows]
    last = [latest.minute * 60 for r in rights if (latest := here.taken_of(r).latest)]
    again = day_begins(max(last)) + days * DAY if last else 0
    if here.moment.early < again:
        return Refused(Reason.TOO_SOON, Facts(day=again))
    return None


def when_and_where(taken: Taken, here: Here) -> Facts:
    """When, where and under what number something was taken last."""
    latest = taken.latest
    if latest is None:
        return Facts()
    id = latest.id
    number = id.number()
    return Facts(
        at=latest.minute * 60,
        point=here.point_of(id.terminal),
        terminal=number.rpartition("-")[0],
        redemption=number,
    )
