"""The policy table: what people write by hand, read strictly into the policy the decree signs.

A TOML file with every programme, window, class and step of the ladder. An unknown key, a value of
the wrong kind or two rows that contradict each other are refused with the row, the key and what to
do. Format: docs/spec/policy.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ledger.policy import (
    ClassQuantity,
    FreshnessStep,
    HomeException,
    HouseholdClass,
    Limit,
    LookUpRules,
    Place,
    Policy,
    Programme,
    Scope,
    Window,
    Words,
)
from ledger.record import U16, U53, Desa, LongText, ShortText
from provisioning.errors import WrongUseError

TABLE_BYTES_MAX = 1024 * 1024
DAY = timedelta(days=1)
YEAR_MIN, YEAR_MAX = 2000, 2199
WIB = timedelta(hours=7)
"""Western Indonesian Time is UTC+7 all year."""

ProgrammeId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,24}$")]
Number = Annotated[int, msgspec.Meta(ge=1, le=255)]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table row: no key beyond those named."""


class WordsRow(_Row, frozen=True):
    """A text in both languages of the screens."""

    id: ShortText
    en: ShortText


class WindowRow(_Row, frozen=True):
    """A named window, open from the first to the last day (WIB)."""

    number: Number
    name: ShortText
    opens: date
    closes: date


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


class ClassRow(_Row, frozen=True):
    """A class of household: quantity by programme id."""

    number: Number
    quantities: dict[str, Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFF)]]


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


class PolicyTable(_Row, frozen=True):
    """The whole file."""

    form: Literal["khb-policy-table-1"]
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


def read_policy_table(path: Path) -> PolicyTable:
    """Read and check a policy table.

    Raises:
        WrongUseError: one sentence naming the row, the key and the remedy.
    """
    try:
        data = path.read_bytes()
        if len(data) > TABLE_BYTES_MAX:
            raise WrongUseError(f"{path} has more than 1 MB; a policy table is a short text file")
        values = tomllib.loads(data.decode("utf-8"))
        table = msgspec.convert(values, PolicyTable)
    except OSError as error:
        raise WrongUseError(
            f"the policy table {path} cannot be read: {error.strerror}; put it there"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUseError(f"{path} is not TOML: {error}; correct that line") from error
    except msgspec.ValidationError as error:
        raise WrongUseError(f"{path}: {_in_words(str(error))}") from error
    fault = next(_faults(table), None)
    if fault is not None:
        raise WrongUseError(f"{path}: {fault}")
    return table


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
    classes = (
        HouseholdClass(
            row.number,
            tuple(
                sorted(
                    (ClassQuantity(numbers[id], units) for id, units in row.quantities.items()),
                    key=lambda quantity: quantity.programme,
                )
            ),
        )
        for row in table.class_
    )
    homes = (HomeException(row.desa, numbers[row.programme], row.terminal) for row in table.home)
    return Policy(
        form="khb-policy-2",
        number=number,
        decree=table.decree,
        audience=table.audience,
        programmes=tuple(_programme(row) for row in table.programme),
        classes=tuple(classes),
        places=tuple(sorted(places, key=lambda place: place.desa)),
        home_exceptions=tuple(sorted(homes, key=lambda home: (home.desa, home.programme))),
        freshness=tuple(FreshnessStep(row.days, row.away_percent) for row in table.freshness),
        quiet_days=table.quiet_days,
        complaints=table.complaints,
        look_up=look_up_rules(table, salt=salt),
    )


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
        windows=tuple(
            Window(w.number, w.name, _day_begins(w.opens), _day_begins(w.closes + DAY) - 1)
            for w in row.window
        ),
    )


def _day_begins(day: date) -> int:
    """Unix seconds of midnight in WIB."""
    return int((datetime.combine(day, time(), UTC) - WIB).timestamp())


def _faults(table: PolicyTable) -> Iterator[str]:
    """What types cannot say, one sentence each."""
    yield from _doubled("programme", [str(row.number) for row in table.programme], "number")
    yield from _doubled("programme", [row.id for row in table.programme], "id")
    yield from _doubled("class", [str(row.number) for row in table.class_], "number")
    for row in table.programme:
        yield from _programme_faults(row)
    scopes = {row.id: row.scope for row in table.programme}
    for class_row in table.class_:
        for id in class_row.quantities:
            if scopes.get(id) is not Scope.HOUSEHOLD:
                yield (
                    f"class {class_row.number}, key quantities: {id!r} is not a programme of "
                    "households; name one of the table or take it out"
                )
    for home in table.home:
        if home.programme not in scopes:
            yield (
                f"home {home.desa}, key programme: {home.programme!r} is not in the table; "
                "name a programme of the table"
            )
    homes = [f"{home.desa} {home.programme}" for home in table.home]
    yield from _doubled("home", homes, "desa and programme")
    yield from _ladder_faults(table)


def _ladder_faults(table: PolicyTable) -> Iterator[str]:
    days = [row.days for row in table.freshness]
    shares = [row.away_percent for row in table.freshness]
    if days != sorted(set(days)):
        yield "freshness, key days: the steps do not rise; put the youngest first"
    if shares != sorted(shares, reverse=True):
        yield "freshness, key away_percent: an older step gives more; let it fall by step"


def _programme_faults(row: ProgrammeRow) -> Iterator[str]:
    name = f"programme {row.id}"
    if row.on_card and row.limit in {Limit.VISITS, Limit.STATUS}:
        yield f"{name}, key on_card: {row.limit} is never written on a card; set it to false"
    if row.limit is Limit.STATUS and row.price:
        yield f"{name}, key price: a status is recorded and not paid for; set it to 0"
    yield from _doubled(f"{name}, window", [str(w.number) for w in row.window], "number")
    for window in row.window:
        at = f"{name}, window {window.number}"
        if window.closes < window.opens:
            yield f"{at}, key closes: it closes before it opens; correct one of the two days"
        if not (window.opens.year >= YEAR_MIN and window.closes.year <= YEAR_MAX):
            yield f"{at}: a year is not from {YEAR_MIN} to {YEAR_MAX}; correct the day"


def _doubled(what: str, keys: Sequence[str], column: str) -> Iterator[str]:
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{what}: two rows have the {column} {key}; give each its own"


def _in_words(message: str) -> str:
    """A sentence from what msgspec says: row and key first, then the fault, then the remedy."""
    fault, _, place = message.partition(" - at ")
    rows = re.sub(
        r"\[(\d+)\]", lambda found: f" {int(found[1]) + 1}", place.strip("`").lstrip("$.")
    )
    where = rows.replace("[...]", ", every value").replace(".", ", ") or "the table"
    fault = fault[:1].lower() + fault[1:]
    return f"{where}: {fault}; correct it as docs/spec/policy.md says"
