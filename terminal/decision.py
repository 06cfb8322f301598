"""The rules of the counter. Pure: no clock, no disk, no device; everything is an argument.

The first of these that holds is the reason of a refusal: what kind of card it is, whether the
card still counts, whether a right stands here, whether anything is left and may be taken now
(``grant``), the place, and the age of the ledger (``place``). Unreadable, malformed and badly
signed presentations never come this far.
"""

from __future__ import annotations

from card_codec.credential import Credential, check_audience, check_dates, check_kind
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.policy import Scope
from ledger.rights import Household
from ledger.rights_file import (
    FLAG_DECEASED,
    FLAG_MOVED,
    FLAG_REMOVED,
    HouseholdRow,
)
from terminal.grant import find_grant, find_unlisted_grant
from terminal.place import Placed, find_place, find_unlisted_place
from terminal.verdict import Approved, ChipHere, ChooseMember, Found, Here, Request, Shown, Verdict


def decide(shown: Shown, request: Request, here: Here) -> Verdict:
    """Judge one request by the rules, in their order."""
    refused = _card(shown, here) or _status(shown, here)
    if refused:
        return refused
    household = here.household
    if household is None:
        return _unlisted(shown, request, here)
    if request.programme.scope is Scope.PERSON and request.member is None:
        if not here.members:
            return Refused(Reason.NOT_ENTITLED)
        return _choose(shown, request, household, here)
    grant = find_grant(request, household, here)
    if isinstance(grant, Refused):
        return grant
    placed = find_place(request, grant, household, here)
    if isinstance(placed, Refused):
        return placed
    return _approved(shown, request, household, placed, here)


def _approved(
    shown: Shown, request: Request, household: Household, placed: Placed, here: Here
) -> Approved:
    grant = placed.grant
    price = request.programme.price if here.price is None else here.price
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
        pays=grant.quantity * price,
        basis=placed.basis,
        away_left=placed.away_left,
        member_name=here.names.get(grant.right.member) if grant.right.member else None,
    )


def _unlisted(shown: Shown, request: Request, here: Here) -> Verdict:
    """A genuine card of a family whose rights are not held here: only as two officers agree."""
    of_person = request.programme.scope is Scope.PERSON
    if here.waived is not Reason.RIGHT_NOT_HERE or isinstance(shown, Found) or of_person:
        return Refused(Reason.RIGHT_NOT_HERE)
    grant = find_unlisted_grant(request, shown.household, here)
    if isinstance(grant, Refused):
        return grant
    placed = find_unlisted_place(request, grant, here)
    if isinstance(placed, Refused):
        return placed
    return Approved(
        right=grant.right,
        programme=request.programme,
        window=grant.window,
        issue=shown.issue,
        name=shown.name,
        place="",  # not known here
        quantity=grant.quantity,
        left_before=grant.left,
        left_after=None,
        pays=grant.quantity * request.programme.price,
        basis=placed.basis,
        away_left=None,
    )


def _choose(shown: Shown, request: Request, household: Household, here: Here) -> ChooseMember:
    name = here.names.get(0, shown.name)
    names = tuple(here.names.get(member) for member in here.members)
    return ChooseMember(request.programme, name, household.place, here.members, names)


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


__all__ = [
    "Approved",
    "ChipHere",
    "ChooseMember",
    "Found",
    "Here",
    "Request",
    "Shown",
    "Verdict",
    "decide",
]
