"""The counted exception: two officers give in spite of a fault that is not the family's.

For the reasons that the policy names, so often a day as it says. Both are recorded before the
redemption: the reason, and who agreed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.clock import day_begins
from ledger.entry import Excepted
from terminal.after import second_person
from terminal.decision import Approved, Request, Verdict
from terminal.place import SET_ASIDE_AT_HOME, SET_ASIDE_AWAY
from terminal.redeem import (
    Desk,
    Presentation,
    Redeemed,
    Turn,
    append,
    judge,
    record_refusal,
    redemption_of,
    turn_of,
)

SET_ASIDE = SET_ASIDE_AT_HOME | SET_ASIDE_AWAY

Judging = Callable[[Turn], Verdict]


@dataclass(frozen=True, slots=True)
class ByTwo:
    """What two officers could give in spite of a refusal. Nothing is recorded by saying so.

    Attributes:
        approved: what they would give.
        used: how often this reason was set aside here today.
        per_day: how often it may be.
    """

    approved: Approved
    used: int
    per_day: int


def look_past(
    desk: Desk, presentation: Presentation, request: Request, reason: Reason, *, again: Judging
) -> ByTwo | None:
    """What two officers could give in spite of a reason; None where they could give nothing.

    Args:
        desk: what the counter works with.
        presentation: as it was refused.
        request: as it was refused.
        reason: of the refusal.
        again: judges the presentation once more.

    Raises:
        JournalDamagedError: the journal is damaged; service stops.
    """
    quota = _per_day(desk, reason)
    if quota is None:
        return None
    with turn_of(desk, presentation, request) as turn:
        verdict = again(replace(turn, waived=reason))
        used = _used(turn, reason)
    return ByTwo(verdict, used, quota) if isinstance(verdict, Approved) else None


def redeem_by_exception(
    desk: Desk, presentation: Presentation, request: Request, *, second: str
) -> Redeemed | Verdict:
    """Give what was asked for, by exception if nothing but a fault stands against it.

    Args:
        desk: what the counter works with.
        presentation: of paper, or a family found by its KTP or KK.
        request: what for.
        second: initials of a second officer, who agrees.

    Raises:
        SecondPersonError: nobody else agreed.
        NotSavedError: the disk refused; nothing happened.
        JournalDamagedError: the journal is damaged; service stops.
    """
    agreed = second_person(desk, second)
    with turn_of(desk, presentation, request) as turn:
        verdict = set_aside(turn, judge(turn), second=agreed, again=judge)
        if not isinstance(verdict, Approved):
            record_refusal(turn, verdict)
            return verdict
        content = redemption_of(verdict, presentation)
        evidence = append(desk, turn.act, turn.moment, content)
    return Redeemed(verdict, evidence[0].id.number(), evidence, turn.moment.early)


def set_aside(turn: Turn, verdict: Verdict, *, second: str, again: Judging) -> Verdict:
    """Judge once more without the reason of a refusal, and record who set it aside.

    Anything else that stands against it is the verdict then, and nothing is set aside.
    """
    if not isinstance(verdict, Refused):
        return verdict
    reason, quota = verdict.reason, _per_day(turn.desk, verdict.reason)
    if quota is None:
        return verdict
    waived = again(replace(turn, waived=reason))
    if not isinstance(waived, Approved):
        return waived
    if _used(turn, reason) >= quota:
        return Refused(Reason.EXCEPTION_QUOTA_USED, Facts(count=quota))
    right = waived.right
    said = Excepted(reason, right.household, right.member, right.programme, second)
    append(turn.desk, turn.act, turn.moment, said)
    return waived


def _per_day(desk: Desk, reason: Reason) -> int | None:
    """How often a day the policy lets two officers set a reason aside; None for never."""
    if reason not in SET_ASIDE or desk.rights is None:
        return None
    return next((e.per_day for e in desk.rights.policy.exceptions if e.reason is reason), None)


def _used(turn: Turn, reason: Reason) -> int:
    return turn.act.cards.exceptions(reason, since=day_begins(turn.moment.early))
