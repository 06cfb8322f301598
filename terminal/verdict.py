"""What the counter is asked, what it knows, and what it answers: the words of its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from card_codec.credential import Credential
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.clock import Moment
from ledger.element import Element, Right
from ledger.entry import Basis, Presented
from ledger.policy import FreshnessStep, Programme, Window
from ledger.rights import Household
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
class ChipHere:
    """What this terminal knows of the chip that was tapped.

    Attributes:
        is_proved: it has shown its key.
        can_be_asked: keys of this family's kecamatan are held here: its chip can show its own.
        has_gap: whether something taken in that window may be hidden from all here.
        alone_from: of a card that replaced another: in windows that opened before, Unix seconds,
            that other may be taken yet where nobody has heard of it; 0 for a family's first.
        open_here: terminal, epoch and number of redemptions that this chip left unfinished here,
            and that it still says nothing about.
    """

    is_proved: bool
    can_be_asked: bool
    has_gap: Callable[[Window], bool]
    alone_from: int = 0
    open_here: frozenset[tuple[int, int, int]] = frozenset()


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
        away_given: what it gave away of this programme in windows still open.
        excepted_given: the same by exception.
        freshness: the step of the ladder that holds at the ledger's age; None when too old.
        moment: the time.
        point_of: the service point of a terminal's ordinal, for the words of a refusal.
        names: of the household's members, 0 for the household; empty while people are sealed.
        shut_by: programmes of which nothing may have been taken for this one to be given.
        price: what this household pays for one unit; None for the programme's price.
        chip: of the chip that was tapped; None for paper.
        waived: a reason that two officers have set aside.
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
    away_given: Callable[[], Sequence[Element]] = tuple
    excepted_given: Callable[[], Sequence[Element]] = tuple
    shut_by: tuple[Programme, ...] = ()
    price: int | None = None
    chip: ChipHere | None = None
    waived: Reason | None = None


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
