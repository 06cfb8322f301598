"""Exposure: what could be given twice, and what a thief could give, in rupiah, before it happens.

An isolated counter cannot know what another gave a moment ago. What may come of that is bounded by
signed quantities: the families that may be served away from home, what each is owed, and for a
thief of the terminal its home list too. All figures are bounds: nothing more can happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import NamedTuple

from card_codec.reason import Reason
from ledger.clock import Moment
from ledger.element import Element, Right
from ledger.policy import Limit, Policy, Programme, Scope, Window
from ledger.rights import Rights
from ledger.rights_file import FLAG_CHIP, FLAG_DECEASED, FLAG_MOVED, FLAG_REMOVED, HouseholdRow
from ledger.roll import Terminal
from terminal.errors import WrongRequestError
from terminal.place import SET_ASIDE_AT_HOME, SET_ASIDE_AWAY

GONE = FLAG_DECEASED | FLAG_MOVED | FLAG_REMOVED


@dataclass(frozen=True, slots=True)
class OfProgramme:
    """One programme's part of it, rupiah.

    Attributes:
        home: left to the families this terminal is home to.
        away: most that could still be given here to families of elsewhere.
    """

    programme: str
    home: int
    away: int


@dataclass(frozen=True, slots=True)
class OfEvent:
    """Several terminals at one event that do not hear each other, rupiah.

    Attributes:
        terminals: this one, and those of the roll with the largest quota for elsewhere.
        away_households: families they may together serve away from home.
        twice: most that families could be given though they were given it at another of them, on
            one day.
        thief: most that the thief of one of them could give.
    """

    terminals: tuple[int, ...]
    away_households: int
    twice: int
    thief: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """What this terminal is worth to a cheat and to a thief now, rupiah.

    Attributes:
        given: was given away from home or by exception, and no other terminal can know of it yet.
        away_households: families of elsewhere that may still be served by the age of the ledger.
        twice: most that they could be given here though they were given it at home too.
        home: left to the families this terminal is home to, in windows open now.
        by_exception: most that two officers could give in one day (WIB) though it was given
            elsewhere, by the exceptions that the policy allows.
        thief: most that could be given with this terminal's key until it is shut out: its home
            list and all of its quota, whatever the age of the ledger; and for each day beyond,
            ``by_exception``.
        chips: left to families with a chip in what a chip carries: what counterfeit chips could
            take at isolated terminals, were a redeem master of their kecamatan stolen.
    """

    at: int
    given: int
    away_households: int
    twice: int
    by_exception: int
    home: int
    thief: int
    chips: int
    programmes: tuple[OfProgramme, ...]
    event: OfEvent | None


@dataclass(frozen=True, slots=True)
class Bearing:
    """What is known here that bears on it.

    Attributes:
        moment: the time.
        taken: units taken of each right.
        away: what this terminal gave away from home in windows that are not over.
        unheard: what it gave so, or by exception, and no other terminal can know of yet.
    """

    moment: Moment
    taken: Mapping[Right, int]
    away: Sequence[Element]
    unheard: Sequence[Element]


class _Left(NamedTuple):
    """What is left to one household of one programme, rupiah.

    ``away`` of it within the programme's cap; ``chip``: a chip could say it was not taken yet.
    """

    household: bytes
    programme: int
    home: int
    left: int
    away: int
    chip: bool


def exposure(rights: Rights, known: Bearing, me: Terminal, *, event: int | None = None) -> Exposure:
    """Compute the exposure of this terminal, and of a planned event.

    Args:
        rights: what is installed.
        known: what is known here.
        me: this terminal, as the roll lists it.
        event: how many terminals stand at the event, this one among them; None for no event.

    Raises:
        WrongRequestError: the roll lists fewer terminals.
    """
    left = list(_left(rights, known))
    served = frozenset(element.right.household for element in known.away)
    step = rights.policy.freshness_at(max(0, known.moment.late - rights.versions.timestamp_time))
    allowed = me.away_households * step.away_percent // 100 if step else 0
    here = _Quota(rights.policy, me.ordinal, served, known.away)
    twice = here.most(left, max(0, allowed - len(served)))
    home = _home(left, me.ordinal)
    worth = {p.number: p.worth for p in rights.policy.programmes}
    whole = here.most(left, max(0, me.away_households - len(served)))
    return Exposure(
        at=known.moment.early,
        given=sum(e.quantity * worth.get(e.right.programme, 0) for e in known.unheard),
        away_households=max(0, allowed - len(served)),
        twice=sum(twice.values()),
        by_exception=_by_exception(rights.policy, left, me.ordinal),
        home=sum(home.values()),
        thief=sum(home.values()) + sum(whole.values()),
        chips=sum(one.left for one in left if one.chip),
        programmes=tuple(
            OfProgramme(p.id, home.get(p.number, 0), twice.get(p.number, 0))
            for p in rights.policy.programmes
        ),
        event=None if event is None else _event(rights, left, me, event),
    )


def _by_exception(policy: Policy, left: Sequence[_Left], me: int) -> int:
    """One redemption each: to families of elsewhere, by paper to families with a chip.

    To a family that is not listed here, one unit.
    """
    allowed = {e.reason: e.per_day for e in policy.exceptions}
    unlisted = allowed.get(Reason.RIGHT_NOT_HERE, 0)
    away = sum(allowed.get(reason, 0) for reason in SET_ASIDE_AWAY) - unlisted
    chip = sum(allowed.get(reason, 0) for reason in SET_ASIDE_AT_HOME - SET_ASIDE_AWAY)
    elsewhere = nlargest(away, (one.left for one in left if one.home != me))
    at_home = nlargest(chip, (one.left for one in left if one.home == me and one.chip))
    unit = max((p.worth for p in policy.programmes if p.scope is Scope.HOUSEHOLD), default=0)
    return sum(elsewhere) + sum(at_home) + unlisted * unit


def _event(rights: Rights, left: Sequence[_Left], me: Terminal, count: int) -> OfEvent:
    """The worst so many terminals could do: each serves families of the others from its quota."""
    others = [
        t for t in rights.roll.terminals if t.shut_out is None and t.ordinal != me.ordinal
    ]  # fmt: skip
    if not 1 <= count <= len(others) + 1:
        raise WrongRequestError(
            f"the roll lists {len(others) + 1} terminals; plan an event of 1 to {len(others) + 1}"
        )
    there = [me, *nlargest(count - 1, others, key=lambda t: (t.away_households, -t.ordinal))]
    twice, thief = 0, 0
    for one in there:
        away = sum(_Quota(rights.policy, one.ordinal).most(left, one.away_households).values())
        excepted = _by_exception(rights.policy, left, one.ordinal)
        twice += away + excepted if count > 1 else 0
        thief = max(thief, away + sum(_home(left, one.ordinal).values()))
    households = sum(one.away_households for one in there)
    return OfEvent(tuple(t.ordinal for t in there), households, twice, thief)


def _left(rights: Rights, known: Bearing) -> Iterator[_Left]:
    """What is left in windows open now, of everybody listed here."""
    policy = rights.policy
    live = [(p, _open(p, known.moment)) for p in policy.programmes if p.limit is not Limit.STATUS]
    homes = _homes(policy)
    classes = {c.number: c for c in policy.classes}
    for _, row in rights.rows():
        if row.flags & GONE:
            continue
        listed = classes.get(row.class_number)
        for programme, windows in live:
            owed = listed.quantity(programme.number) if listed else 0
            units = list(_units(row, programme, owed))
            found = [
                quantity - known.taken.get(Right(row.household, member, programme.number, w), 0)
                for member, quantity in units
                for w in (window.number for window in windows)
            ]
            open_units = [max(0, n) for n in found]
            if not any(open_units):
                continue
            cap = programme.away.quantity
            away = sum(n if cap is None else min(n, cap) for n in open_units)
            home = homes.get((row.desa, programme.number), homes.get((row.desa, 0), 0))
            worth = programme.worth
            chip = programme.on_card and bool(row.flags & FLAG_CHIP)
            left = sum(open_units) * worth
            yield _Left(row.household, programme.number, home, left, away * worth, chip)


def _units(row: HouseholdRow, programme: Programme, owed: int) -> Iterator[tuple[int, int]]:
    """(member, quantity) of every right of a household by a programme."""
    if programme.scope is Scope.HOUSEHOLD:
        yield 0, owed
        return
    for right in row.members:
        if right.programme == programme.number:
            yield right.member, right.quantity


def _open(programme: Programme, moment: Moment) -> list[Window]:
    """Windows of which anybody may still take something."""
    return [
        w for w in programme.windows if moment.early >= w.opens and moment.late <= programme.ends(w)
    ]


def _homes(policy: Policy) -> dict[tuple[str, int], int]:
    """Home terminal by desa and programme; by programme 0 where no exception names another."""
    homes = {(place.desa, 0): place.home for place in policy.places}
    return homes | {(e.desa, e.programme): e.home for e in policy.home_exceptions}


def _home(left: Iterable[_Left], terminal: int) -> dict[int, int]:
    """Rupiah left to the families of a home terminal, by programme."""
    found: dict[int, int] = {}
    for one in left:
        if one.home == terminal:
            found[one.programme] = found.get(one.programme, 0) + one.left
    return found


class _Quota:
    """What one terminal may still give away from home, by its quota and every programme's cap."""

    def __init__(
        self, policy: Policy, terminal: int, served: frozenset[bytes] = frozenset(),
        given: Sequence[Element] = (),
    ) -> None:  # fmt: skip
        self._policy = policy
        self._terminal = terminal
        self._served = served
        self._given = given

    def most(self, left: Sequence[_Left], households: int) -> dict[int, int]:
        """Rupiah by programme: the families owed most, so many more than were served already."""
        found = {}
        for programme in self._policy.programmes:
            owed = [
                (one.away, one.household)
                for one in left
                if one.programme == programme.number and one.home != self._terminal and one.away
            ]
            again = [away for away, household in owed if household in self._served]
            fresh = [away for away, household in owed if household not in self._served]
            best = nlargest(self._room(programme, len(again) + households),
                            [*again, *nlargest(households, fresh)])  # fmt: skip
            found[programme.number] = sum(best)
        return found

    def _room(self, programme: Programme, households: int) -> int:
        """Families that may have this programme, its own cap considered."""
        cap = programme.away.households
        if cap is None:
            return households
        had = {e.right.household for e in self._given if e.right.programme == programme.number}
        # Whoever had a part of it may come for the rest without counting anew.
        return min(households, max(0, cap - len(had)) + len(had))
