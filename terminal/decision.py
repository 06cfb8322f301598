"""The rules of the counter. Pure: no clock, no disk, no device; everything is an argument.

The first of these that holds is the reason of a refusal: what kind of card it is, whether the
card still counts, whether a right stands here, whether anything is left, the place, and the age
of the ledger. (Unreadable, malformed and badly signed presentations never come this far.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from card_codec.credential import Credential, check_audience, check_dates, check_kind
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.clock import Moment
from ledger.element import Right
from ledger.entry import Basis, Presented
from ledger.policy import FreshnessStep, Limit, Programme, Scope, Window
from ledger.rights import Household
from ledger.rights_file import (
    FLAG_CHIP,
    FLAG_DECEASED,
    FLAG_MOVED,
    FLAG_REMOVED,
    HouseholdRow,
)
from ledger.union import Taken


@dataclass(frozen=True, slots=True)
class Found:
    """A family that was found by a number of a KTP or KK, instead of a card.

    Attributes:
        household: 8 bytes.
        member: whose NIK it is; 0 for the number of the KK.
        name: of the household.
        person: name of that member, None where the people file names none.
        place: name of its desa.
        mask: of the digits just typed, for the screen; never kept.
        record: number of the look-up's entry in the journal.
    """

    household: bytes
    member: int
    name: str
    person: str | None
    place: str
    mask: str
    record: str


Shown = Credential | Found
"""By what a family is known at the counter."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the counter was asked to give.

    Attributes:
        programme: the programme being served.
        member: number of the person, None when none was chosen.
        quantity: units asked for, None for all that is left.
    """

    programme: Programme
    member: int | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """What this terminal knows that a decision needs, all as of one transaction.

    Attributes:
        household: the ledger's row, None when it has none here.
        blocked: the status bit of this card is set.
        members: persons of the household with a right by this programme.
        quantity_of: what a right holds in its window; None when there is no such right.
        taken_of: what the union says is taken of a right.
        home: ordinal of the home terminal of household and programme.
        me: ordinal of this terminal.
        away_quota: households this terminal may serve away.
        away_served: households it has served away in windows still open.
        freshness: the step of the ladder that holds at the ledger's age; None when too old.
        moment: the time.
        point_of: the service point of a terminal's ordinal, for the words of a refusal.
        names: of the household's members, 0 for the household; empty while people are sealed.
    """

    household: Household | None
    blocked: bool
    members: tuple[int, ...]
    quantity_of: Callable[[Right], int | None]
    taken_of: Callable[[Right], Taken]
    home: int | None
    me: int
    away_quota: int
    away_served: Callable[[], frozenset[bytes]]
    freshness: FreshnessStep | None
    moment: Moment
    point_of: Callable[[int], str | None]
    audience: str
    training: bool = False
    presented: Presented = Presented.TEXT
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approved:
    """May be given now. Nothing is recorded by saying so.

    Attributes:
        left_before: what was left, None where there is no limit.
        pays: what the family pays, rupiah.
        away_left: households that may still be served away after this one; None at home.
        member_name: of the person, where people are open.
    """

    right: Right
    programme: Programme
    window: Window
    issue: int
    name: str | None
    place: str
    quantity: int
    left_before: int | None
    left_after: int | None
    pays: int
    basis: Basis
    away_left: int | None = None
    member_name: str | None = None

    @property
    def household(self) -> bytes:
        """Whose right it is (8 bytes)."""
        return self.right.household

    @property
    def member(self) -> int:
        """The person's number, 0 for a household programme."""
        return self.right.member


@dataclass(frozen=True, slots=True)
class ChooseMember:
    """The programme is for one person: the officer chooses whom.

    Attributes:
        names: of those members, where people are open; None each where they are not.
    """

    programme: Programme
    name: str | None
    place: str
    members: tuple[int, ...]
    names: tuple[str | None, ...] = ()


Verdict = Approved | Refused | ChooseMember


def decide(shown: Shown, request: Request, here: Here) -> Verdict:
    """Judge one request by the rules, in their order."""
    refused = _card(shown, here) or _status(shown, here)
    if refused:
        return refused
    household = here.household
    if household is None:
        return Refused(Reason.RIGHT_NOT_HERE)
    if request.programme.scope is Scope.PERSON and request.member is None:
        if not here.members:
            return Refused(Reason.NOT_ENTITLED)
        return _choose(shown, request, household, here)
    grant = _grant(request, household, here)
    if isinstance(grant, Refused):
        return grant
    basis = _place(household, here)
    if isinstance(basis, Refused):
        return basis
    return Approved(
        right=grant.right,
        programme=request.programme,
        window=grant.window,
        issue=household.row.issue if isinstance(shown, Found) else shown.issue,
        name=here.names.get(0, shown.name),
        place=household.place,
        quantity=grant.quantity,
        left_before=grant.left,
        left_after=None if grant.left is None else grant.left - grant.quantity,
        pays=grant.quantity * request.programme.price,
        basis=basis,
        away_left=_away_left(household, here) if basis is Basis.AWAY else None,
        member_name=here.names.get(grant.right.member) if grant.right.member else None,
    )


def _choose(shown: Shown, request: Request, household: Household, here: Here) -> ChooseMember:
    name = here.names.get(0, shown.name)
    names = tuple(here.names.get(member) for member in here.members)
    return ChooseMember(request.programme, name, household.place, here.members, names)


@dataclass(frozen=True, slots=True)
class _Grant:
    """What may be given from one window; ``left`` before it, None where there is no limit."""

    window: Window
    right: Right
    quantity: int
    left: int | None


def _card(shown: Shown, here: Here) -> Refused | None:
    """What kind of card it is, and for whom it was made; a KTP or KK is no card."""
    if isinstance(shown, Found):
        return None
    return check_kind(shown, training=here.training) or check_audience(shown, (here.audience,))


def _status(shown: Shown, here: Here) -> Refused | None:
    """Whether this card still counts, and the family it leads to."""
    if isinstance(shown, Credential):
        refused = check_dates(shown, early=here.moment.early, late=here.moment.late)
        if refused or here.household is None:
            return refused
        if here.blocked:
            return Refused(Reason.REVOKED)
        if shown.issue < here.household.row.issue:
            return Refused(Reason.REPLACED, Facts(count=here.household.row.issue))
    return _family(here.household.row) if here.household else None


def _family(row: HouseholdRow) -> Refused | None:
    """What the decree, or the kecamatan since, says of the family itself."""
    if row.flags & FLAG_DECEASED:
        return Refused(Reason.HOUSEHOLD_DECEASED)
    if row.flags & FLAG_MOVED:
        return Refused(Reason.HOUSEHOLD_MOVED)
    if row.flags & FLAG_REMOVED:
        return Refused(Reason.NOT_ENTITLED)
    return None


def _grant(request: Request, household: Household, here: Here) -> _Grant | Refused:
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
        if not _is_open(window, here.moment):
            continue
        grant = _from_window(request, window, right, owed=quantity, here=here)
        if not isinstance(grant, Refused):
            return grant
        refused.append(grant)
    if not refused:
        return _no_window([window for window, _, _ in owed], here.moment)
    return next((r for r in refused if r.reason is Reason.MORE_THAN_LEFT), refused[-1])


def _right(request: Request, household: Household, window: Window) -> Right:
    member = (request.member or 0) if request.programme.scope is Scope.PERSON else 0
    return Right(household.row.household, member, request.programme.number, window.number)


def _is_open(window: Window, moment: Moment) -> bool:
    """Open from early ≥ its opening until late > its close."""
    return moment.early >= window.opens and moment.late <= window.closes


def _no_window(windows: list[Window], moment: Moment) -> Refused:
    """No window is open; they come in the order in which they close."""
    coming = [w.opens for w in windows if moment.early < w.opens]
    if coming:
        return Refused(Reason.WINDOW_NOT_OPEN, Facts(day=min(coming)))
    return Refused(Reason.WINDOW_CLOSED, Facts(day=windows[-1].closes))


def _from_window(
    request: Request, window: Window, right: Right, *, owed: int, here: Here
) -> _Grant | Refused:
    """How much of one right may be given, and what was left before."""
    if request.programme.limit is Limit.STATUS:
        return _Grant(window, right, request.quantity or 1, None)
    taken = here.taken_of(right)
    left = owed - taken.total
    if left <= 0:
        return Refused(Reason.ALREADY_REDEEMED, _when_and_where(taken, here))
    quantity = left if request.quantity is None else request.quantity
    if quantity > left:
        return Refused(Reason.MORE_THAN_LEFT, Facts(count=left))
    return _Grant(window, right, quantity, left)


def _when_and_where(taken: Taken, here: Here) -> Facts:
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


def _place(household: Household, here: Here) -> Basis | Refused:
    """Home, or away within the quota; then the age of the ledger over either."""
    if here.presented is not Presented.CHIP and household.row.flags & FLAG_CHIP:
        return Refused(Reason.USE_CHIP)
    at_home = here.home == here.me
    point = here.point_of(here.home) if here.home else None
    if not at_home and here.away_quota == 0:
        return Refused(Reason.NOT_SERVED_AWAY, Facts(point=point))
    away_left = 0 if at_home else _away_left(household, here)
    if away_left < 0:
        return Refused(Reason.AWAY_QUOTA_USED, Facts(point=point, count=here.away_quota))
    if here.freshness is None:
        return Refused(Reason.LEDGER_TOO_OLD)
    if at_home:
        return Basis.HOME
    unused = here.away_quota - here.away_quota * here.freshness.away_percent // 100
    if away_left < unused:
        return Refused(Reason.LEDGER_STALE, Facts(point=point))
    return Basis.AWAY


def _away_left(household: Household, here: Here) -> int:
    """Households that may still be served away once this one is."""
    served = here.away_served() | {household.row.household}
    return here.away_quota - len(served)
