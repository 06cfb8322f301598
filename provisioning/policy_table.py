"""The policy table: what people write by hand, read strictly into the policy the decree signs.

A TOML file with every programme, window, class and step of the ladder. An unknown key, a value of
the wrong kind or two rows that contradict each other are refused with the row, the key and what to
do. Format: docs/spec/policy.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from card_codec.reason import Reason
from ledger.chip_keys import ChipKeys
from ledger.policy import (
    AwayCap,
    ChangeBounds,
    ClassQuantity,
    ExceptionQuota,
    FreshnessStep,
    HomeException,
    HouseholdClass,
    LookUpRules,
    MemberRule,
    OneOf,
    Place,
    Policy,
    Programme,
    Window,
    Words,
)
from provisioning.chip_masters import FIRST_GENERATION
from provisioning.errors import WrongUseError
from provisioning.policy_faults import find_faults
from provisioning.policy_rows import ClassRow, PolicyTable, ProgrammeRow, WindowRow
from provisioning.toml_lines import Lines

TABLE_BYTES_MAX = 1024 * 1024
DAY = timedelta(days=1)
WIB = timedelta(hours=7)
"""Western Indonesian Time is UTC+7 all year."""


def generation_in_force(table: PolicyTable, kecamatan: str) -> int:
    """The oldest generation of a kecamatan's redeem masters that counts.

    Every terminal there holds it, and every card has it and the two that follow.
    """
    named = (row.oldest for row in table.chip_keys if row.kecamatan == kecamatan)
    return next(named, FIRST_GENERATION)


def read_policy_table(path: Path) -> PolicyTable:
    """Read and check a policy table.

    Raises:
        WrongUseError: one sentence naming the line, the row, the key and the remedy.
    """
    text = _text(path)
    try:
        table = msgspec.convert(tomllib.loads(text), PolicyTable)
    except tomllib.TOMLDecodeError as error:
        raise WrongUseError(f"{path} is not TOML: {error}; correct that line") from error
    except msgspec.ValidationError as error:
        place, told = _in_words(str(error))
        raise WrongUseError(f"{path}, line {Lines(text).of(place)}: {told}") from error
    fault = next(find_faults(table), None)
    if fault is not None:
        line = Lines(text).of(fault.path)
        raise WrongUseError(f"{path}, line {line}: {fault.row}: {fault.what}")
    return table


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > TABLE_BYTES_MAX:
            raise WrongUseError(f"{path} has more than 1 MB; a policy table is a short text file")
        return data.decode("utf-8")
    except OSError as error:
        raise WrongUseError(
            f"the policy table {path} cannot be read: {error.strerror}; put it there"
        ) from error
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{path} is not TOML: it is not UTF-8; save it so") from error


def make_policy(
    table: PolicyTable, *, number: int, places: Iterable[Place], salt: bytes = bytes(16)
) -> Policy:
    """The policy of a table that was read, with the places and homes of the roster.

    Args:
        table: checked by ``read_policy_table``.
        number: of the policy; rises when its content changes.
        places: every desa with its home terminal.
        salt: of the period, for look-up.
    """
    numbers = {row.id: row.number for row in table.programme}
    homes = (HomeException(row.desa, numbers[row.programme], row.terminal) for row in table.home)
    return Policy(
        form="khb-policy-2",
        number=number,
        decree=table.decree,
        audience=table.audience,
        programmes=tuple(_programme(row) for row in table.programme),
        classes=tuple(_class(row, numbers) for row in table.class_),
        places=tuple(sorted(places, key=lambda place: place.desa)),
        home_exceptions=tuple(sorted(homes, key=lambda home: (home.desa, home.programme))),
        freshness=tuple(FreshnessStep(row.days, row.away_percent) for row in table.freshness),
        quiet_days=table.quiet_days,
        complaints=table.complaints,
        changes=ChangeBounds(**msgspec.structs.asdict(table.changes)),
        look_up=look_up_rules(table, salt=salt),
        one_of=tuple(
            OneOf(tuple(sorted(numbers[id] for id in row.programmes))) for row in table.one_of
        ),
        exceptions=_exceptions(table),
        proxy_households=table.proxy_households,
        split=table.household_split,
        settle_days=table.settle_days,
        chip_keys=tuple(
            ChipKeys(row.kecamatan, row.oldest)
            for row in sorted(table.chip_keys, key=lambda row: row.kecamatan)
        ),
    )


def _class(row: ClassRow, numbers: Mapping[str, int]) -> HouseholdClass:
    quantities = (
        ClassQuantity(numbers[id], units, row.prices.get(id))
        for id, units in row.quantities.items()
    )
    return HouseholdClass(row.number, tuple(sorted(quantities, key=lambda q: q.programme)))


def _exceptions(table: PolicyTable) -> tuple[ExceptionQuota, ...]:
    quotas = (ExceptionQuota(Reason(row.reason), row.per_day) for row in table.exception)
    return tuple(sorted(quotas, key=lambda quota: quota.reason))


def look_up_rules(table: PolicyTable, *, salt: bytes) -> LookUpRules:
    """How numbers are looked up in the period of a table, with its salt (16 bytes)."""
    row = table.look_up
    return LookUpRules(salt, row.memory_kib, row.passes, row.per_day)


def _programme(row: ProgrammeRow) -> Programme:
    return Programme(
        number=row.number,
        id=row.id,
        name=Words(row.name.id, row.name.en),
        scope=row.scope,
        limit=row.limit,
        unit=Words(row.unit.id, row.unit.en),
        contents=row.contents,
        price=row.price,
        worth=row.worth,
        on_card=row.on_card,
        windows=tuple(_window(window) for window in row.window),
        flags=tuple(sorted(row.flags)),
        days_between=row.days_between,
        until_stock_ends=row.until_stock_ends,
        members=None
        if row.members is None
        else MemberRule(row.members.age_min, row.members.age_max, tuple(sorted(row.members.roles))),
        away=AwayCap(row.away.households, row.away.quantity),
    )


def _window(row: WindowRow) -> Window:
    return Window(
        number=row.number,
        name=row.name,
        opens=_day_begins(row.opens),
        closes=_day_ends(row.closes),
        carries_into=row.carries_into or 0,
        rest_until=_day_ends(row.rest_until) if row.rest_until else 0,
    )


def _day_begins(day: date) -> int:
    """Unix seconds of midnight in WIB."""
    return int((datetime.combine(day, time(), UTC) - WIB).timestamp())


def _day_ends(day: date) -> int:
    """The last second of a day in WIB."""
    return _day_begins(day + DAY) - 1


def _in_words(message: str) -> tuple[tuple[str | int, ...], str]:
    """What msgspec says as the path of the key and a sentence: row and key, fault, remedy."""
    fault, _, place = message.partition(" - at ")
    parts = re.findall(r"\[(\d+)\]|\.([A-Za-z_]+)", place)
    path = tuple(int(number) if number else name for number, name in parts)
    rows = re.sub(
        r"\[(\d+)\]", lambda found: f" {int(found[1]) + 1}", place.strip("`").lstrip("$.")
    )
    where = rows.replace("[...]", ", every value").replace(".", ", ") or "the table"
    fault = fault[:1].lower() + fault[1:]
    missing = re.search(r"field `([a-z_]+)`", fault)
    if missing and fault.startswith("object contains unknown"):
        path = (*path, missing[1])
    return path, f"{where}: {fault}; correct it as docs/spec/policy.md says"
