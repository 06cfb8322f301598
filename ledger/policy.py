"""Policy: what the decree says about programmes, as signed data (never as code).

Amounts, units, windows, co-payment, home terminals and the freshness ladder all stand here.
No programme is named anywhere in the software.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

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


class Words(Record, frozen=True):
    """One text in the two languages of the screens."""

    id: ShortText
    en: ShortText


class Window(Record, frozen=True):
    """A named time in which a right may be taken: from ``opens`` until after ``closes``."""

    number: U8
    name: ShortText
    opens: Seconds
    closes: Seconds


class Programme(Record, frozen=True):
    """One aid programme of the decree.

    Attributes:
        number: its short number in records and on chips.
        unit: what one of the quantity is ("paket", "kunjungan").
        contents: what a unit holds, in words for the screen and the slip.
        price: co-payment of the family for one unit, rupiah.
        worth: what one unit is worth, rupiah; exposure is computed from it.
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

    def window(self, number: int) -> Window | None:
        """The window of that number, if the policy names it."""
        return next((w for w in self.windows if w.number == number), None)


class ClassQuantity(Record, frozen=True):
    """What one class of household has by one programme, in each window."""

    programme: U8
    quantity: U24


class HouseholdClass(Record, frozen=True):
    """A class of household and its household rights."""

    number: U8
    quantities: tuple[ClassQuantity, ...]

    def quantity(self, programme: int) -> int:
        """Units of that programme this class has in a window; 0 when none."""
        return next((q.quantity for q in self.quantities if q.programme == programme), 0)


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

    def programme(self, name: str) -> Programme | None:
        """The programme of that id."""
        return next((p for p in self.programmes if p.id == name), None)

    def programme_numbered(self, number: int) -> Programme | None:
        """The programme of that number."""
        return next((p for p in self.programmes if p.number == number), None)

    def class_numbered(self, number: int) -> HouseholdClass | None:
        """The class of that number."""
        return next((c for c in self.classes if c.number == number), None)

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
