"""Finding a family by its KTP or KK, where there is no card to show.

The digits live in the memory of this one call. What is recorded is that somebody was looked for,
and whom the look-up led to: never the number, its mask or its tag.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.act import Act
from ledger.clock import Moment, day_begins
from ledger.custody import KeyCustody
from ledger.entry import Kind, LookUp
from ledger.errors import ClosedError
from ledger.folder import TerminalFolder
from ledger.look_up import has_date, mask, read_number, stretch
from ledger.people import NOBODY, Fingerprint, Match, People, fingerprint, open_people
from ledger.policy import Policy
from ledger.purge import is_settled, purge_people
from terminal.decision import Found
from terminal.redeem import Desk


@dataclass(slots=True)
class PeopleDrawer:
    """The people files of this terminal: opened while the day is, let go of when it is closed."""

    folder: TerminalFolder
    custody: KeyCustody
    people: People = NOBODY
    _seen: Fingerprint | None = field(default=None)

    def look(self) -> People:
        """Whose names may be shown now. Cheap when nothing has changed since the last look."""
        if not self.custody.is_open():
            self.people, self._seen = NOBODY, None
            return self.people
        lying = fingerprint(self.folder.people)
        if lying != self._seen:
            try:
                self.people, self._seen = open_people(self.folder, self.custody), lying
            except ClosedError:
                self.people, self._seen = NOBODY, None
        return self.people

    def purge_settled(self, policy: Policy, early: int) -> None:
        """Once every window is settled nobody here has to be called by name any more."""
        if is_settled(policy, early):
            purge_people(self.folder)


def look_up(desk: Desk, custody: KeyCustody, typed: str) -> Found | Refused:
    """Look for the family of a number; recorded before this returns.

    Args:
        desk: with the people that are open now.
        custody: makes the tags.
        typed: what an officer typed; spaces, dots and hyphens do not count.

    Raises:
        NotSavedError: the disk refused the record; nothing may be shown.
        JournalDamagedError: the journal is damaged; service stops.
    """
    number, desk.refused = read_number(typed), 0
    if isinstance(number, Refused):
        return number
    if desk.rights is None:
        return Refused(Reason.NO_LEDGER)
    if not custody.is_open():
        return Refused(Reason.LOOK_UP_CLOSED)
    policy = desk.rights.policy
    with desk.journal.act() as act:
        used = _quota_used(act, policy, _now(desk, act))
        if used:
            _record(desk, act, used)
    if used:
        return used
    # Slow on purpose, and so outside of any transaction.
    stretched = stretch(number, policy.look_up)
    try:
        matches = desk.people.find(stretched, custody)
    except ClosedError:
        return Refused(Reason.LOOK_UP_CLOSED)
    with desk.journal.act() as act:
        outcome = _quota_used(act, policy, _now(desk, act)) or _judge(matches, number)
        record = _record(desk, act, outcome)
    if isinstance(outcome, Refused):
        return outcome
    return _found(outcome, policy, number=number, record=record)


def _judge(matches: list[Match], number: str) -> Match | Refused:
    """One family, or why there is none; that a number has no date is only told if none is found."""
    if len(matches) == 1:
        return matches[0]
    if matches:
        return Refused(Reason.LOOK_UP_AMBIGUOUS)
    return Refused(Reason.LOOK_UP_UNKNOWN if has_date(number) else Reason.NUMBER_DATE)


def _found(match: Match, policy: Policy, *, number: str, record: str) -> Found:
    family, place = match.family, policy.place(match.desa)
    return Found(
        household=family.household,
        member=match.member,
        name=family.name,
        person=next((m.name for m in family.members if m.number == match.member), None),
        place=place.name if place else match.desa,
        mask=mask(number),
        record=record,
    )


def _quota_used(act: Act, policy: Policy, moment: Moment) -> Refused | None:
    """Looking up is for the few without a card: a terminal does it so often a day, no more."""
    per_day = policy.look_up.per_day
    done = act.count(Kind.LOOK_UP, since=day_begins(moment.early))
    return Refused(Reason.LOOK_UP_QUOTA_USED, Facts(count=per_day)) if done >= per_day else None


def _record(desk: Desk, act: Act, outcome: Match | Refused) -> str:
    """Keep that somebody was looked for; returns the number of the entry."""
    if isinstance(outcome, Refused):
        content = LookUp(None, 0, outcome.reason)
    else:
        content = LookUp(outcome.family.household, outcome.member, "")
    entry, _ = act.append(
        content,
        moment=_now(desk, act),
        ledger=desk.rights.versions.ledger if desk.rights else 0,
        officer=desk.officer,
        signer=desk.signer,
    )
    desk.refused = entry.body.seq if isinstance(outcome, Refused) else 0
    return entry.id.number()


def _now(desk: Desk, act: Act) -> Moment:
    return act.moment(desk.clock.read())
