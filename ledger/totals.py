"""Totals of a day at one counter: what the close says, derived from the entries it closes."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable

from ledger.entry import (
    NOT_COMMITTED,
    Closed,
    Commit,
    Entry,
    Pending,
    Redemption,
    Refusal,
    Void,
)
from ledger.errors import RecordError

_TOTAL = struct.Struct(">BI")


def total_up(
    first: int, entries: Iterable[Entry], entry_of: Callable[[int], Entry | None]
) -> Closed:
    """The close over these entries; a redemption that was taken back counts as a void alone.

    A redemption by chip is of the day on which its card was found to have committed it: until
    then nothing is handed over.

    Args:
        first: number of the first entry of the day.
        entries: all of them, in order.
        entry_of: an entry of this chain by its number; a commit may name one of a day before.
    """
    given: dict[int, Redemption | Pending] = {}
    voids = refusals = 0
    for entry in entries:
        content = entry.content
        if isinstance(content, Redemption):
            given[entry.body.seq] = content
        elif isinstance(content, Commit):
            named = entry_of(content.seq)
            if named is not None and isinstance(named.content, Pending):
                given[content.seq] = named.content
        elif isinstance(content, Void) and content.reason != NOT_COMMITTED:
            voids += 1
            given.pop(content.seq, None)
        elif isinstance(content, Refusal):
            refusals += 1
    units: dict[int, int] = defaultdict(int)
    for redemption in given.values():
        units[redemption.programme] += redemption.quantity
    return Closed(
        first=first,
        redemptions=len(given),
        voids=voids,
        refusals=refusals,
        paid=sum(redemption.paid for redemption in given.values()),
        units=b"".join(_TOTAL.pack(number, units[number]) for number in sorted(units)),
    )


def units_given(closed: Closed) -> dict[int, int]:
    """Units handed over by number of the programme.

    Raises:
        RecordError: the totals are not numbers of programmes in order, each with its units.
    """
    if len(closed.units) % _TOTAL.size:
        raise RecordError("the totals of a close are cut short")
    found = list(_TOTAL.iter_unpack(closed.units))
    numbers = [number for number, _ in found]
    if numbers != sorted(set(numbers)):
        raise RecordError("the totals of a close are out of order")
    return dict(found)
