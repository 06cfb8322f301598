"""The counted exception: two officers give in spite of a fault that is not the family's.

For the reasons that the policy names, so often a day as it says. Both are recorded before the
redemption: the reason, and who agreed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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


def set_aside(
    turn: Turn, verdict: Verdict, *, second: str, again: Callable[[Turn], Verdict]
) -> Verdict:
    """Judge once more without the reason of a refusal, and record who set it aside.

    Anything else that stands against it is the verdict then, and nothing is set aside.
    """
    rights = turn.desk.rights
    if not isinstance(verdict, Refused) or verdict.reason not in SET_ASIDE or rights is None:
        return verdict
    reason = verdict.reason
    quota = next((e.per_day for e in rights.policy.exceptions if e.reason is reason), None)
    if quota is None:
        return verdict
    waived = again(replace(turn, waived=reason))
    if not isinstance(waived, Approved):
        return waived
    since = day_begins(turn.moment.early)
    if turn.act.cards.exceptions(reason, since=since) >= quota:
        return Refused(Reason.EXCEPTION_QUOTA_USED, Facts(count=quota))
    right = waived.right
    said = Excepted(reason, right.household, right.member, right.programme, second)
    append(turn.desk, turn.act, turn.moment, said)
    return waived
