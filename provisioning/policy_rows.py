"""The rows of a policy table: every key people may write, its kind and its limits.

What these types cannot say is in ``policy_faults``. Format: docs/spec/policy.md.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from ledger.policy import (
    ChangeBounds,
    CounterFlag,
    Limit,
    LookUpRules,
    MemberRole,
    Percent,
    Scope,
    Split,
)
from ledger.record import U8, U16, U24, U53, Desa, Kecamatan, LongText, ShortText

ProgrammeId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,24}$")]
Number = Annotated[int, msgspec.Meta(ge=1, le=255)]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table row: no key beyond those named."""


class WordsRow(_Row, frozen=True):
    """A text in both languages of the screens."""

    id: ShortText
    en: ShortText


class WindowRow(_Row, frozen=True):
    """A named window, open from the first to the last day (WIB).

    Attributes:
        carries_into: number of a later window in which what is left may still be taken.
        rest_until: last day on which the rest of a part given in time may be fetched.
    """

    number: Number
    name: ShortText
    opens: date
    closes: date
    carries_into: Number | None = None
    rest_until: date | None = None


class MembersRow(_Row, frozen=True):
    """Which persons may have a right: by age in completed years, and by role."""

    age_min: U8 = 0
    age_max: U8 = 255
    roles: tuple[MemberRole, ...] = ()


class AwayRow(_Row, frozen=True):
    """How much of a programme may be given away from home, within a terminal's quota."""

    households: U16 | None = None
    quantity: U24 | None = None


class ProgrammeRow(_Row, frozen=True):
    """One programme and its windows."""

    number: Number
    id: ProgrammeId
    name: WordsRow
    scope: Scope
    limit: Limit
    unit: WordsRow
    contents: LongText
    price: U53
    worth: U53
    on_card: bool
    window: Annotated[tuple[WindowRow, ...], msgspec.Meta(min_length=1)]
    flags: tuple[CounterFlag, ...] = ()
    days_between: U16 = 0
    until_stock_ends: bool = False
    members: MembersRow | None = None
    away: AwayRow = AwayRow()


class ClassRow(_Row, frozen=True):
    """A class of household: quantity by programme id, and its price where it is its own."""

    number: Number
    quantities: dict[str, Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFF)]]
    prices: dict[str, U53] = {}


class OneOfRow(_Row, frozen=True):
    """Programmes of which one alone may be taken."""

    programmes: Annotated[tuple[ProgrammeId, ...], msgspec.Meta(min_length=2)]


class ExceptionRow(_Row, frozen=True):
    """How often two officers of a terminal may give in spite of a refusal, in a day."""

    reason: ShortText
    per_day: U16


class ChangesRow(_Row, frozen=True):
    """How much a kecamatan may change of what the decree lists, in percent of its households."""

    removed_percent: Percent = ChangeBounds().removed_percent
    moved_percent: Percent = ChangeBounds().moved_percent
    replaced_percent: Percent = ChangeBounds().replaced_percent
    lowered_percent: Percent = ChangeBounds().lowered_percent
    cleared_percent: Percent = ChangeBounds().cleared_percent
    corrected_percent: Percent = ChangeBounds().corrected_percent
    at_least: U16 = ChangeBounds().at_least


class FreshnessRow(_Row, frozen=True):
    """A step of the freshness ladder."""

    days: U16
    away_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]


class HomeRow(_Row, frozen=True):
    """Another home terminal for one programme in one desa."""

    desa: Desa
    programme: ProgrammeId
    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]


class LookUpRow(_Row, frozen=True):
    """How a number typed from a KTP or KK is looked up; its salt is the office's."""

    memory_kib: Annotated[int, msgspec.Meta(ge=8, le=1024 * 1024)] = LookUpRules().memory_kib
    passes: Annotated[int, msgspec.Meta(ge=1, le=16)] = LookUpRules().passes
    per_day: U16 = LookUpRules().per_day


class ChipKeysRow(_Row, frozen=True):
    """The oldest generation of a kecamatan's redeem masters that still counts."""

    kecamatan: Kecamatan
    oldest: Annotated[int, msgspec.Meta(ge=1, le=255)]


class PolicyTable(_Row, frozen=True):
    """The whole file."""

    form: Literal["khb-policy-table-2"]
    decree: ShortText
    audience: Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,16}$")]
    period: ShortText
    quiet_days: U16
    complaints: ShortText
    programme: Annotated[tuple[ProgrammeRow, ...], msgspec.Meta(min_length=1)]
    class_: Annotated[tuple[ClassRow, ...], msgspec.Meta(min_length=1)] = msgspec.field(
        name="class"
    )
    freshness: Annotated[tuple[FreshnessRow, ...], msgspec.Meta(min_length=1)]
    home: tuple[HomeRow, ...] = ()
    look_up: LookUpRow = LookUpRow()
    one_of: tuple[OneOfRow, ...] = ()
    exception: tuple[ExceptionRow, ...] = ()
    changes: ChangesRow = ChangesRow()
    proxy_households: U8 = 0
    household_split: Split = Split.NEXT_DECREE
    settle_days: U16 = 14
    chip_keys: tuple[ChipKeysRow, ...] = ()
