"""A batch of cards through one reader: who gets one, and one card after another until all have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from card_codec.chip.apdu import CardLink
from card_codec.readers import desk
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from provisioning import chip_log
from provisioning.chip_log import Progress
from provisioning.errors import ProvisioningError
from provisioning.roster import Roster
from provisioning.station import Rejected, Station, Tap

LOOK_S = 0.2
"""How often the reader is looked at."""
WAITS = frozenset({ReaderState.NO_CARD, ReaderState.MUTE, ReaderState.CARD_REMOVED})
"""States of a reader that a hand puts right; any other ends the batch."""


class OpenCard(CardLink, AbstractContextManager["OpenCard"], Protocol):
    """A card on the station's reader.

    Attributes:
        atr: what the reader said about it.
    """

    atr: bytes


Mark = tuple[bytes | None, str]
OpenReader = Callable[[], "OpenCard | desk.OpenedCard"]
"""Opens the card on the station's reader; raises `ReaderError` where there is none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a batch.

    Attributes:
        taps: every card that was laid down, in order, a card left lying counted once.
        waiting: households that still wait for a card.
        unfinished: chips that were begun and must be laid down again.
    """

    taps: tuple[Tap, ...]
    waiting: tuple[bytes, ...]
    unfinished: tuple[chip_log.LoggedChip, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every card that was asked for is a good one."""
        return not self.waiting and not self.unfinished


@dataclass(slots=True)
class Line:
    """The reader and the hands before it.

    Attributes:
        open_reader: opens the card on it.
        wait_s: so long without a new card, and the batch ends.
        clock: seconds, going forward.
        sleep: waits so many seconds.
    """

    open_reader: OpenReader
    wait_s: float
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)


def run_batch(
    station: Station, line: Line, queue: list[bytes], told: Callable[[Tap], None]
) -> Batch:
    """Make cards until nobody waits and nothing is unfinished, or no new card comes.

    Args:
        station: makes them.
        line: the reader.
        queue: households that wait for a card, in order; those that got one are taken off.
        told: called with each card as soon as it is settled.

    Raises:
        ProvisioningError: the office cannot make cards; those made stay made.
        ReaderError: the reader is lost, or cannot be used.
    """
    roster, taps = station.office.roster, list[Tap]()
    lying: Mark | None = None
    end = line.clock() + line.wait_s
    while (queue or chip_log.unfinished(roster)) and line.clock() < end:
        tap = _next_tap(station, line, queue)
        mark = None if tap is None else _mark(tap)
        if tap is None or mark == lying or _is_leaving(tap, taps):
            lying = mark if mark == lying else None
            line.sleep(LOOK_S)
            continue
        if tap.is_done or not taps or mark != _mark(taps[-1]):  # a dead card must not keep us here
            end = line.clock() + line.wait_s
        taps.append(tap)
        told(tap)
        # A card that was pulled is gone on with as soon as it lies there again.
        lying = None if tap.outcome is Rejected.PULLED else mark
    return Batch(tuple(taps), tuple(queue), tuple(chip_log.unfinished(roster)))


def choose_households(
    roster: Roster, named: Iterable[bytes], *, desa: str | None, replaces: bool
) -> list[bytes]:
    """Who is to get a card: the households named, or those of a desa, that have none yet.

    Args:
        roster: the office's.
        named: households by id; without any, the desa's.
        desa: code of 10 digits.
        replaces: whether those that have a card get the next one.

    Raises:
        ProvisioningError: a household is not in the roster.
    """
    chosen = list(dict.fromkeys(named))
    for household in chosen:
        if roster.household(household) is None:
            raise ProvisioningError(
                f"household {household.hex()} is not in the roster; `betang-provision households`"
                " lists those that are"
            )
    if not chosen and desa is not None:
        chosen = [one.id for one in roster.households(desa=desa)]
    return chosen if replaces else [one for one in chosen if not _has_card(roster, one)]


def _has_card(roster: Roster, household: bytes) -> bool:
    """Whether its current card is a chip, whole or begun."""
    holder = roster.household(household)
    return holder is not None and any(
        chip.issue == holder.issue and chip.progress is not Progress.ABANDONED
        for chip in chip_log.chips_of(roster, household)
    )


def _next_tap(station: Station, line: Line, queue: list[bytes]) -> Tap | None:
    """What became of the card on the reader; None while there is none, or it is just leaving."""
    try:
        card = line.open_reader()
    except ReaderError as error:
        if error.state in WAITS:
            return None
        raise
    with card:
        tap = station.tap(card, queue, atr=card.atr)
    return None if tap.outcome is Rejected.PULLED and tap.uid is None else tap


def _is_leaving(tap: Tap, taps: list[Tap]) -> bool:
    """Whether this is still the card that was pulled: a reader says so a little late."""
    pulled = bool(taps) and taps[-1].outcome is tap.outcome is Rejected.PULLED
    return pulled and tap.uid == taps[-1].uid


def _mark(tap: Tap) -> Mark:
    """By which a card that was not taken away is known again, whatever became of it."""
    return tap.uid, "" if tap.uid else tap.words
