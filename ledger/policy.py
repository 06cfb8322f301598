"""Policy: what the decree says about programmes, as signed data (never as code).

Amounts, units, windows, co-payment, home terminals and the freshness ladder all stand here.
No programme is named anywhere in the software.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from card_codec.reason import Reason
from ledger.chip_keys import ChipKeys
from ledger.record import (
    U8,
    U16,
    U24,
    U32,
    U53,
    Desa,
    LongText,
    Record,
    Seconds,
    ShortText,
    pack,
    unpack,
)

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]

POLICY_SIZE_MAX = 2 * 1024 * 1024
DAY = 86_400
EXCEPTABLE = frozenset(
    {
        Reason.AWAY_PART_USED,
        Reason.AWAY_PROGRAMME_USED,
        Reason.AWAY_QUOTA_USED,
        Reason.CARD_HISTORY_INCOMPLETE,
        Reason.LEDGER_STALE,
        Reason.LEDGER_TOO_OLD,
        Reason.NOT_SERVED_AWAY,
        Reason.RIGHT_NOT_HERE,
        Reason.USE_CHIP,
    }
)
"""Refusals that are nobody's fault at the counter: two officers may give in spite of them."""


class Scope(StrEnum):
    """Whose right it is."""

    HOUSEHOLD = "household"
    PERSON = "person"


class Limit(StrEnum):
    """What kind of limit a right has."""

    MONEY = "money"
    QUANTITY = "quantity"
    VISITS = "visits"
    ONCE = "once"
    STATUS = "status"


class CounterFlag(StrEnum):
    """What a counter asks for or shows when it serves a programme."""

    ASKS_ITEMS = "asks_items"
    ASKS_KTP = "asks_ktp"
    ASKS_MEMBER = "asks_member"
    ASKS_PAYMENT = "asks_payment"
    COUNTS_STOCK = "counts_stock"
    EMERGENCY = "emergency"


class MemberRole(StrEnum):
    """What a member is in the family."""

    HEAD = "head"
    SPOUSE = "spouse"
    CHILD = "child"
    PARENT = "parent"
    OTHER = "other"


class Split(StrEnum):
    """From when a family that left another household has rights of its own."""

    NEXT_DECREE = "next_decree"
    NEXT_WINDOW = "next_window"


class Words(Record, frozen=True):
    """One text in the two languages of the screens."""

    id: ShortText
    en: ShortText


class Window(Record, frozen=True):
    """A named time in which a right may be taken: from ``opens`` until after ``closes``.

    Attributes:
        carries_into: number of a later window, while which is open what is left of this one may
            still be taken; 0 for none.
        rest_until: last second in which the rest may be fetched by who was given a part in time;
            0 for none.
    """

    number: U8
    name: ShortText
    opens: Seconds
    closes: Seconds
    carries_into: U8 = 0
    rest_until: Seconds = 0


class MemberRule(Record, frozen=True):
    """Which persons of a household may have a right by a programme.

    Attributes:
        age_min: completed years on the day the first window opens, by the year of birth.
        age_max: the same, 255 for no limit.
        roles: any of them; empty for every role.
    """

    age_min: U8
    age_max: U8
    roles: tuple[MemberRole, ...]


class AwayCap(Record, frozen=True):
    """How much of one programme a terminal may give away from home, within its own quota.

    Attributes:
        households: so many; None for no other bound than the terminal's quota.
        quantity: units of one right; None for all that is left of it.
    """

    households: U16 | None = None
    quantity: U24 | None = None


class Programme(Record, frozen=True):
    """One aid programme of the decree.

    Attributes:
        number: its short number in records and on chips.
        unit: what one of the quantity is ("paket", "kunjungan").
        contents: what a unit holds, in words for the screen and the slip.
        price: co-payment of the family for one unit, rupiah.
        worth: what one unit is worth, rupiah; exposure is computed from it.
        flags: what the counter asks for, in the order of their names.
        days_between: days (WIB) from one hand-over to the next of the same household or person.
        until_stock_ends: the right lasts while there is stock; an empty store owes nothing.
        members: which persons may have it; None for a programme of households or for any person.
        away: how much of it may be given away from home.
    """

    number: U8
    id: ShortText
    name: Words
    scope: Scope
    limit: Limit
    unit: Words
    contents: LongText
    price: U53
    worth: U53
    on_card: bool
    windows: tuple[Window, ...]
    flags: tuple[CounterFlag, ...] = ()
    days_between: U16 = 0
    until_stock_ends: bool = False
    members: MemberRule | None = None
    away: AwayCap = AwayCap()

    def window(self, number: int) -> Window | None:
        """The window of that number, if the policy names it."""
        return next((w for w in self.windows if w.number == number), None)

    def carried(self, window: Window) -> Window | None:
        """The window in which what is left of this one may still be taken, if any."""
        return self.window(window.carries_into) if window.carries_into else None

    def ends(self, window: Window) -> int:
        """The last second in which anything of a window may be taken by anybody."""
        carried = self.carried(window)
        return max(window.closes, window.rest_until, carried.closes if carried else 0)


class ClassQuantity(Record, frozen=True):
    """What one class of household has by one programme, in each window.

    Attributes:
        price: what it pays for one unit, rupiah; None for the programme's price.
    """

    programme: U8
    quantity: U24
    price: U53 | None = None


class HouseholdClass(Record, frozen=True):
    """A class of household and its household rights."""

    number: U8
    quantities: tuple[ClassQuantity, ...]

    def quantity(self, programme: int) -> int:
        """Units of that programme this class has in a window; 0 when none."""
        return next((q.quantity for q in self.quantities if q.programme == programme), 0)

    def price(self, programme: int) -> int | None:
        """What this class pays for one unit; None for the programme's price."""
        return next((q.price for q in self.quantities if q.programme == programme), None)


class Place(Record, frozen=True):
    """A desa or kelurahan, and the terminal that is home to it."""

    desa: Desa
    name: ShortText
    home: U16


class HomeException(Record, frozen=True):
    """Another home terminal for one programme in one desa."""

    desa: Desa
    programme: U8
    home: U16


class FreshnessStep(Record, frozen=True):
    """One step of the ladder: up to ``days`` old, this much may still be given.

    Attributes:
        days: age of the rights up to which this step holds.
        away_percent: share of the away quota that may be used; 0 = home only.
    """

    days: U16
    away_percent: U8


class ChangeBounds(Record, frozen=True):
    """How much of a kecamatan's households its own role may change until the next decree.

    Each share is of the households in the decree's base, over all changes since, in percent.

    Attributes:
        at_least: households that may be changed in each way, however few the base lists.
    """

    removed_percent: Percent = 5
    moved_percent: Percent = 5
    replaced_percent: Percent = 20
    lowered_percent: Percent = 5
    cleared_percent: Percent = 5
    at_least: U16 = 5


class OneOf(Record, frozen=True):
    """Programmes of which a household, or a person, may take one alone.

    Attributes:
        programmes: their numbers, rising; taking of one shuts the others whose windows overlap.
    """

    programmes: Annotated[tuple[U8, ...], msgspec.Meta(min_length=2)]


class ExceptionQuota(Record, frozen=True):
    """How often two officers of a terminal may give in spite of a refusal, in one day (WIB)."""

    reason: Reason
    per_day: U16


class LookUpRules(Record, frozen=True):
    """How a number typed from a KTP or KK is looked up, and how often.

    Attributes:
        salt: 16 bytes of argon2id, of the period.
        memory_kib: memory of one argon2id, KiB; bounded, so that no terminal is brought down.
        passes: its passes over that memory.
        per_day: look-ups of one terminal in one day (WIB).
    """

    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)] = bytes(16)
    memory_kib: Annotated[int, msgspec.Meta(ge=8, le=1024 * 1024)] = 64 * 1024
    passes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    per_day: U16 = 60


class Policy(Record, frozen=True):
    """Everything the decree fixes for a period.

    Attributes:
        number: rises with every policy; a lower one is never installed.
        decree: number of the governor's decree (SK).
        audience: credentials must name it ("KHB26").
        freshness: ladder by age, youngest step first; older than the last step = exception only.
        quiet_days: days a kecamatan may stay without an offline signature before it ages.
        complaints: telephone for complaints.
        changes: how much a kecamatan may change of it.
        look_up: how families are found without a card.
        one_of: programmes that shut each other.
        exceptions: what two officers may do, by the reason of the refusal.
        proxy_households: households one person may fetch for in a day, the own one not counted.
        split: from when a family that left another household has rights of its own.
        settle_days: days after its last chance when a window is settled and its usage purged.
        chip_keys: retired generations of redeem masters, by kecamatan.
    """

    form: Literal["khb-policy-2"]
    number: U32
    decree: ShortText
    audience: ShortText
    programmes: tuple[Programme, ...]
    classes: tuple[HouseholdClass, ...]
    places: tuple[Place, ...]
    home_exceptions: tuple[HomeException, ...]
    freshness: tuple[FreshnessStep, ...]
    quiet_days: U16
    complaints: ShortText
    changes: ChangeBounds = ChangeBounds()
    look_up: LookUpRules = LookUpRules()
    one_of: tuple[OneOf, ...] = ()
    exceptions: tuple[ExceptionQuota, ...] = ()
    proxy_households: U8 = 0
    split: Split = Split.NEXT_DECREE
    settle_days: U16 = 14
    chip_keys: tuple[ChipKeys, ...] = ()

    def programme(self, name: str) -> Programme | None:
        """The programme of that id."""
        return next((p for p in self.programmes if p.id == name), None)

    def programme_numbered(self, number: int) -> Programme | None:
        """The programme of that number."""
        return next((p for p in self.programmes if p.number == number), None)

    def class_numbered(self, number: int) -> HouseholdClass | None:
        """The class of that number."""
        return next((c for c in self.classes if c.number == number), None)

    def shut_by(self, programme: Programme) -> tuple[Programme, ...]:
        """Programmes of which nothing may have been taken for this one to be given."""
        return tuple(
            other
            for group in self.one_of
            if programme.number in group.programmes
            for other in self.programmes
            if other.number in group.programmes and other.number != programme.number
        )

    def place(self, desa: str) -> Place | None:
        """The place of that desa code."""
        return next((p for p in self.places if p.desa == desa), None)

    def home_terminal(self, desa: str, programme: int) -> int | None:
        """The one terminal that may serve this desa's paper cards offline."""
        for exception in self.home_exceptions:
            if exception.desa == desa and exception.programme == programme:
                return exception.home
        place = self.place(desa)
        return place.home if place else None

    @property
    def unheard_for(self) -> int:
        """Seconds after which a ledger that has not heard of a change serves nobody by itself.

        The last step of the ladder past the quiet days: a ledger without the change bears no
        offline signature of that kecamatan made since.
        """
        last = self.freshness[-1].days if self.freshness else 0
        return (self.quiet_days + last) * DAY

    def freshness_at(self, age_seconds: int) -> FreshnessStep | None:
        """The step that holds at this age; None when the rights are too old for any."""
        return next((s for s in self.freshness if age_seconds <= s.days * DAY), None)


def write_policy(policy: Policy) -> bytes:
    """The policy as the decree signs it."""
    return pack(policy)


def read_policy(data: bytes) -> Policy:
    """Read a policy file strictly.

    Raises:
        RecordError: not a policy.
    """
    return unpack(data, Policy, size_max=POLICY_SIZE_MAX)
