"""What the kinds of a policy table's keys cannot say: rows that contradict each other or the law.

Each fault names its place and what to do. The first one found is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from card_codec.reason import Reason
from ledger.policy import EXCEPTABLE, CounterFlag, Limit, Scope
from provisioning.policy_rows import (
    ClassRow,
    MembersRow,
    PolicyTable,
    ProgrammeRow,
    WindowRow,
)
from provisioning.toml_lines import Path

WITHOUT_THEIR_CHIP = {
    Reason.USE_CHIP: "is dead",
    Reason.CARD_HISTORY_INCOMPLETE: "was replaced",
}
"""Refusals that a family with a chip meets by no fault of its own, and why."""
YEAR_MIN, YEAR_MAX = 2000, 2199
NEVER_ON_CARD = frozenset({Limit.VISITS, Limit.STATUS})
WITHOUT_STOCK = frozenset({Limit.VISITS, Limit.STATUS, Limit.MONEY})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a table.

    Attributes:
        path: of the key it is about, for its line.
        row: the row in words.
        what: the fault and its remedy.
    """

    path: Path
    row: str
    what: str


def find_faults(table: PolicyTable) -> Iterator[Fault]:
    """Every fault of a table whose keys are of their kinds."""
    yield from _doubled("programme", [row.number for row in table.programme], "number")
    yield from _doubled("programme", [row.id for row in table.programme], "id")
    yield from _doubled("class", [row.number for row in table.class_], "number")
    programmes = {row.id: row for row in table.programme}
    for at, row in enumerate(table.programme):
        yield from _programme_faults(row, ("programme", at), table.class_)
    for at, class_row in enumerate(table.class_):
        yield from _class_faults(class_row, ("class", at), programmes)
    yield from _one_of_faults(table, programmes)
    yield from _home_faults(table, programmes)
    yield from _exception_faults(table)
    yield from _chip_faults(table)
    yield from _ladder_faults(table)
    yield from _doubled("chip_keys", [row.kecamatan for row in table.chip_keys], "kecamatan")


def _programme_faults(
    row: ProgrammeRow, path: Path, classes: Iterable[ClassRow]
) -> Iterator[Fault]:
    name = f"programme {row.id}"

    def fault(key: str, what: str) -> Fault:
        return Fault((*path, key), f"{name}, key {key}", what)

    if row.on_card and row.limit in NEVER_ON_CARD:
        yield fault("on_card", f"{row.limit} is never written on a card; set it to false")
    if row.limit is Limit.STATUS and row.price:
        yield fault("price", "a status is recorded and not paid for; set it to 0")
    if row.limit is Limit.MONEY and row.price:
        yield fault("price", "money is given and not sold; set it to 0")
    if row.limit is Limit.ONCE and row.days_between:
        yield fault("days_between", "what is given once has no next time; take the key out")
    yield from _flag_faults(row, path, pays=_anybody_pays(row, classes))
    yield from _member_faults(row, path)
    yield from _doubled(f"{name}, window", [w.number for w in row.window], "number", path=path)
    for at, window in enumerate(row.window):
        yield from _window_faults(row, window, (*path, "window", at))


def _anybody_pays(row: ProgrammeRow, classes: Iterable[ClassRow]) -> bool:
    return bool(row.price) or any(c.prices.get(row.id) for c in classes)


def _flag_faults(row: ProgrammeRow, path: Path, *, pays: bool) -> Iterator[Fault]:
    """Flags say what the counter asks; what follows from the programme must not differ from it."""
    flags, at = set(row.flags), (*path, "flags")
    name = f"programme {row.id}, key flags"
    if len(flags) != len(row.flags):
        yield Fault(at, name, "a flag stands twice; leave one out")
    person = row.scope is Scope.PERSON
    for flag, needed, why in (
        (CounterFlag.ASKS_MEMBER, person, "the right is one person's"),
        (CounterFlag.ASKS_PAYMENT, pays, "families pay for it"),
    ):
        if needed and flag not in flags:
            yield Fault(at, name, f"{why}; add {flag.value!r}")
        if flag in flags and not needed:
            yield Fault(at, name, f"{flag.value!r} stands there, but not: {why}; take it out")
    if CounterFlag.COUNTS_STOCK in flags and row.limit in WITHOUT_STOCK:
        yield Fault(at, name, f"there is no stock of {row.limit}; take 'counts_stock' out")
    if CounterFlag.ASKS_ITEMS in flags and not row.contents:
        yield Fault(at, name, "'asks_items' needs contents to ask for; name them or take it out")
    if row.until_stock_ends and CounterFlag.COUNTS_STOCK not in flags:
        yield Fault(
            (*path, "until_stock_ends"),
            f"programme {row.id}, key until_stock_ends",
            "nobody counts its stock; add 'counts_stock' to its flags",
        )


def _member_faults(row: ProgrammeRow, path: Path) -> Iterator[Fault]:
    members = row.members or MembersRow()
    name, at = f"programme {row.id}, key members", (*path, "members")
    if row.members is not None and row.scope is not Scope.PERSON:
        yield Fault(at, name, "the right is the household's; take it out")
    if members.age_min > members.age_max:
        yield Fault(at, name, "age_min is above age_max; correct one of them")
    if len(set(members.roles)) != len(members.roles):
        yield Fault(at, name, "a role stands twice; leave one out")


def _window_faults(row: ProgrammeRow, window: WindowRow, path: Path) -> Iterator[Fault]:
    name = f"programme {row.id}, window {window.number}"
    if window.closes < window.opens:
        yield Fault(
            (*path, "closes"),
            f"{name}, key closes",
            "it closes before it opens; correct one of the two days",
        )
    days: list[date] = [window.opens, window.closes, window.rest_until or window.closes]
    if not (min(days).year >= YEAR_MIN and max(days).year <= YEAR_MAX):
        yield Fault(path, name, f"a year is not from {YEAR_MIN} to {YEAR_MAX}; correct the day")
    if window.carries_into is not None:
        yield from _carry_faults(row, window, path)
    if window.rest_until is not None and window.rest_until <= window.closes:
        yield Fault(
            (*path, "rest_until"),
            f"{name}, key rest_until",
            "the rest may be fetched until then anyhow; name a day after it closes or take it out",
        )
    if window.rest_until is not None and row.limit in {Limit.ONCE, Limit.STATUS}:
        yield Fault(
            (*path, "rest_until"),
            f"{name}, key rest_until",
            f"of {row.limit} no part is given; take it out",
        )


def _carry_faults(row: ProgrammeRow, window: WindowRow, path: Path) -> Iterator[Fault]:
    at, name = (*path, "carries_into"), f"programme {row.id}, window {window.number}"
    name = f"{name}, key carries_into"
    into = next((w for w in row.window if w.number == window.carries_into), None)
    if into is None:
        yield Fault(at, name, f"there is no window {window.carries_into}; name one of the table")
    elif into.opens <= window.opens or into.closes <= window.closes:
        yield Fault(at, name, f"window {into.number} is not a later one; name one that is")
    if row.limit is Limit.STATUS:
        yield Fault(at, name, "of a status nothing is left; take it out")


def _class_faults(
    row: ClassRow, path: Path, programmes: Mapping[str, ProgrammeRow]
) -> Iterator[Fault]:
    name = f"class {row.number}"
    for id, quantity in row.quantities.items():
        programme = programmes.get(id)
        at, told = (*path, "quantities", id), f"{name}, key quantities"
        if programme is None or programme.scope is not Scope.HOUSEHOLD:
            yield Fault(
                at,
                told,
                f"{id!r} is not a programme of households; name one of the table or take it out",
            )
        elif programme.limit is Limit.ONCE and quantity != 1:
            yield Fault(at, told, f"{id!r} is given once; set it to 1")
    for id in row.prices:
        at, told = (*path, "prices", id), f"{name}, key prices"
        if id not in row.quantities:
            yield Fault(at, told, f"the class gets nothing of {id!r}; take the price out")
        elif id in programmes and programmes[id].limit in {Limit.MONEY, Limit.STATUS}:
            yield Fault(at, told, f"{id!r} is not sold; take the price out")


def _one_of_faults(table: PolicyTable, programmes: Mapping[str, ProgrammeRow]) -> Iterator[Fault]:
    for at, row in enumerate(table.one_of):
        path, name = ("one_of", at, "programmes"), f"one_of {at + 1}, key programmes"
        unknown = next((id for id in row.programmes if id not in programmes), None)
        if unknown is not None:
            yield Fault(path, name, f"{unknown!r} is not in the table; name a programme of it")
            continue
        if len(set(row.programmes)) != len(row.programmes):
            yield Fault(path, name, "a programme stands twice; leave one out")
        if len({programmes[id].scope for id in row.programmes}) > 1:
            yield Fault(
                path, name, "rights of households and of persons do not shut each other; part them"
            )


def _home_faults(table: PolicyTable, programmes: Mapping[str, ProgrammeRow]) -> Iterator[Fault]:
    for at, home in enumerate(table.home):
        if home.programme not in programmes:
            yield Fault(
                ("home", at, "programme"),
                f"home {home.desa}, key programme",
                f"{home.programme!r} is not in the table; name a programme of the table",
            )
    homes = [f"{home.desa} {home.programme}" for home in table.home]
    yield from _doubled("home", homes, "desa and programme")


def _exception_faults(table: PolicyTable) -> Iterator[Fault]:
    allowed = sorted(reason.value for reason in EXCEPTABLE)
    for at, row in enumerate(table.exception):
        if row.reason not in {reason.value for reason in Reason} or row.reason not in allowed:
            yield Fault(
                ("exception", at, "reason"),
                f"exception {at + 1}, key reason",
                f"two officers cannot set {row.reason!r} aside; name one of {', '.join(allowed)}",
            )
    yield from _doubled("exception", [row.reason for row in table.exception], "reason")


def _chip_faults(table: PolicyTable) -> Iterator[Fault]:
    """Where chips carry a programme, nobody is turned away for a dead chip or a new one."""
    carried = next((at for at, row in enumerate(table.programme) if row.on_card), None)
    named = {row.reason for row in table.exception if row.per_day}
    for reason, family in WITHOUT_THEIR_CHIP.items():
        if carried is not None and reason not in named:
            yield Fault(
                ("programme", carried, "on_card"),
                f"programme {table.programme[carried].id}, key on_card",
                f"a family whose chip {family} could not be served; add an [[exception]] with the"
                f" reason {reason}, or set it to false",
            )


def _ladder_faults(table: PolicyTable) -> Iterator[Fault]:
    for at, (before, after) in enumerate(pairwise(table.freshness), 1):
        if after.days <= before.days:
            yield Fault(
                ("freshness", at, "days"),
                "freshness, key days",
                "the steps do not rise; put the youngest first",
            )
        if after.away_percent > before.away_percent:
            yield Fault(
                ("freshness", at, "away_percent"),
                "freshness, key away_percent",
                "an older step gives more; let it fall by step",
            )


def _doubled(
    what: str, keys: Sequence[str | int], column: str, *, path: Path | None = None
) -> Iterator[Fault]:
    """Two rows with one key; the later one is shown."""
    seen: set[str | int] = set()
    rows = ("window",) if path is not None else (what,)
    for at, key in enumerate(keys):
        if key in seen:
            place = (*(path or ()), *rows, at, column)
            yield Fault(place, what, f"two rows have the {column} {key}; give each its own")
        seen.add(key)
