"""Rules of the place: at home, or away within every quota; and how old the ledger may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import Basis, Presented
from ledger.rights import Household
from ledger.rights_file import FLAG_CHIP
from terminal.grant import Grant
from terminal.verdict import Here, Request

OF_FAMILIES = frozenset({Reason.NOT_SERVED_AWAY, Reason.AWAY_QUOTA_USED, Reason.LEDGER_STALE})
"""How many families of elsewhere; what two officers set aside has a quota of its own."""
SET_ASIDE_AWAY = OF_FAMILIES | {
    Reason.AWAY_PROGRAMME_USED, Reason.AWAY_PART_USED, Reason.LEDGER_TOO_OLD, Reason.RIGHT_NOT_HERE,
}  # fmt: skip
"""What two officers may set aside away from home."""
SET_ASIDE_AT_HOME = frozenset(
    {Reason.USE_CHIP, Reason.CARD_HISTORY_INCOMPLETE, Reason.LEDGER_TOO_OLD}
)
"""What they may set aside where the family's home terminal knows what it gave."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What may be given here, and why here.

    Attributes:
        grant: cut to what may be given away from home.
        away_left: households that may still be served away after this one; None at home.
    """

    grant: Grant
    basis: Basis
    away_left: int | None = None


def find_place(
    request: Request, grant: Grant, household: Household, here: Here
) -> Placed | Refused:
    """Home, or away within the quotas; then the age of the ledger over either.

    A reason that two officers have set aside does not count; all others do.
    """
    refused, at_home = _by_card(request, grant, household, here), here.home == here.me
    if refused and not (at_home and refused.reason is here.waived):
        return refused
    if not at_home:
        point = here.point_of(here.home) if here.home else None
        return _away(request, grant, here, point=point)
    if here.freshness is None and here.waived is not Reason.LEDGER_TOO_OLD:
        return Refused(Reason.LEDGER_TOO_OLD)
    return Placed(grant, Basis.EXCEPTION if here.waived else Basis.HOME)


def find_unlisted_place(request: Request, grant: Grant, here: Here) -> Placed | Refused:
    """For a family that is not listed here: what its chip hides and the ledger's age stand."""
    refused = _by_history(request, grant, here)
    if refused:
        return refused
    if here.freshness is None:
        return Refused(Reason.LEDGER_TOO_OLD)
    return Placed(grant, Basis.EXCEPTION)


def _by_card(request: Request, grant: Grant, household: Household, here: Here) -> Refused | None:
    """A family with a chip uses it, and one that can be asked must prove itself.

    A chip of which no key is held here is taken by the rules of paper.
    """
    if household.row.flags & FLAG_CHIP:
        unproved = here.presented is Presented.CHIP_UNPROVEN
        if here.presented is not Presented.CHIP and not (unproved and not _can_be_asked(here)):
            return Refused(Reason.USE_CHIP)
    return _by_history(request, grant, here)


def _by_history(request: Request, grant: Grant, here: Here) -> Refused | None:
    """What was taken of the window elsewhere may be hidden from all here.

    Pushed out of this chip's memory, or taken by the chip that this one replaced.
    """
    chip = here.chip
    if chip is None or not chip.is_proved or not request.programme.on_card:
        return None
    if grant.window.opens < chip.alone_from:
        return Refused(Reason.CARD_HISTORY_INCOMPLETE, Facts(day=chip.alone_from))
    return Refused(Reason.CARD_HISTORY_INCOMPLETE) if chip.has_gap(grant.window) else None


def _can_be_asked(here: Here) -> bool:
    return here.chip is not None and here.chip.can_be_asked


def _away(request: Request, grant: Grant, here: Here, *, point: str | None) -> Placed | Refused:
    refused = _by_quota(grant, here, point=point)
    if refused:
        return refused
    cut = _within_caps(request, grant, here, point=point)
    if isinstance(cut, Refused):
        return cut
    refused = _by_age(grant, here, point=point)
    if refused:
        return refused
    if here.waived:  # by a quota of its own, and of no other
        return Placed(cut, Basis.EXCEPTION)
    return Placed(cut, Basis.AWAY, _left_away(grant, here))


def _by_quota(grant: Grant, here: Here, *, point: str | None) -> Refused | None:
    """How many families of elsewhere this terminal may serve."""
    if here.waived in OF_FAMILIES:
        return None
    if here.away_quota == 0:
        return Refused(Reason.NOT_SERVED_AWAY, Facts(point=point))
    if _left_away(grant, here) < 0:
        return Refused(Reason.AWAY_QUOTA_USED, Facts(point=point, count=here.away_quota))
    return None


def _by_age(grant: Grant, here: Here, *, point: str | None) -> Refused | None:
    """How many of them by a ledger of this age."""
    if here.freshness is None:
        if here.waived is Reason.LEDGER_TOO_OLD:
            return None
        return Refused(Reason.LEDGER_TOO_OLD)
    unused = here.away_quota - here.away_quota * here.freshness.away_percent // 100
    if here.waived not in OF_FAMILIES and _left_away(grant, here) < unused:
        return Refused(Reason.LEDGER_STALE, Facts(point=point))
    return None


def _left_away(grant: Grant, here: Here) -> int:
    """Families that may be served away after this one."""
    return here.away_quota - len(here.away_served() | {grant.right.household})


def _within_caps(
    request: Request, grant: Grant, here: Here, *, point: str | None
) -> Grant | Refused:
    """How much of this programme may still be given away, to how many and to this family."""
    cap = request.programme.away
    if cap.households is None and cap.quantity is None:
        return grant
    given = here.away_given()
    served = {element.right.household for element in given} | {grant.right.household}
    full = cap.households is not None and len(served) > cap.households
    if full and here.waived is not Reason.AWAY_PROGRAMME_USED:
        return Refused(Reason.AWAY_PROGRAMME_USED, Facts(point=point, count=cap.households))
    if cap.quantity is None or here.waived is Reason.AWAY_PART_USED:
        return grant
    parts = [*given, *here.excepted_given()]
    still = max(0, cap.quantity - sum(e.quantity for e in parts if e.right == grant.right))
    if still == 0 or (request.quantity is not None and request.quantity > still):
        return Refused(Reason.AWAY_PART_USED, Facts(point=point, count=still))
    return replace(grant, quantity=min(grant.quantity, still))
