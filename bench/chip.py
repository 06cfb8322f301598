"""``make bench-chip``: what our own side of a redemption by chip costs.

A redemption over the real pcscd and vpcd, from opening the reader to the committed record, against
the replay of the very same APDUs over the same reader: both wait for the same daemon and the same
double, whose own crypto runs in both. The journal is left out. In one process, without a daemon,
absolute times are told. No figure here is one of a card: what a chip and its field take is measured
on them (docs/operating/card-acceptance.md §4).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.table import Figure, at_most, report, told
from card_codec.chip.apdu import CardLink
from card_codec.chip.errors import ChipLinkError
from card_codec.readers import pcsc
from card_codec.readers.errors import ReaderError
from ledger.card_keys import OpenedCardKeys
from terminal.chip_tap import hear_chip
from tests.chip_world import HOME, READER_ID, TAKEN, Station, counting
from tests.unit.card_codec.samples import TRUST
from virtual_card.desfire import DesfireCard
from virtual_card.link import Exchange, InProcessLink
from virtual_card.pcscd import SLOTS, Service, inside, is_installed
from virtual_card.vpcd import OnReader

INSIDE = "BETANG_BENCH_INSIDE"
PAIRS = 300
WARM = 20
SETTLE_S = 5.0


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    if os.environ.get(INSIDE) != "1":
        if not is_installed():
            sys.exit(
                "bench-chip needs pcscd and vsmartcard-vpcd; install them with make setup-test"
            )
        command = inside([sys.executable, "-m", "bench.chip"])
        sys.exit(subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        service.start()
        try:
            figures = [*_over_pcsc(), *_in_process()]
        finally:
            service.stop()
    sys.exit(0 if report("chip", figures) else 1)


@dataclass(frozen=True)
class Again:
    """A card that can be put back to where it was, random numbers and all."""

    card: DesfireCard
    restart: Callable[[], None]
    trace: tuple[Exchange, ...]


def _over_pcsc() -> list[Figure]:
    again = _again()
    with OnReader(again.card) as on:
        _until_seen()
        pairs = [_pair(again) for _ in range(PAIRS + WARM)][WARM:]
        commands = on.apdus / (2 * (PAIRS + WARM))
    ratio = statistics.median(ours / replayed for ours, replayed in pairs)
    ours, replayed = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    return [
        at_most("redemption / replay of its APDUs, PC/SC", ratio, "×", 1.5),
        told("redemption, PC/SC, median", ours, "ms"),
        told("replay, PC/SC, median", replayed, "ms"),
        told("APDUs in it", commands, ""),
    ]


def _in_process() -> list[Figure]:
    again = _again()
    ours, replayed = [], []
    for _ in range(PAIRS + WARM):
        ours.append(_timed(again, lambda: _redeem(_link(again.card))))
        replayed.append(_timed(again, lambda: _replay(_link(again.card), again.trace)))
    whole, double = (statistics.median(times[WARM:]) * 1000 for times in (ours, replayed))
    return [
        told("redemption, in process, median", whole, "ms"),
        told("of it the double", double, "ms"),
        told("of it our own side", whole - double, "ms"),
        told("redemption, in process, 99 of 100 below", _p99(ours[WARM:]) * 1000, "ms"),
    ]


def _pair(again: Again) -> tuple[float, float]:
    """(redemption, replay) in seconds, in turn, opening the reader included in both."""

    def redeem() -> None:
        with pcsc.open_card(SLOTS[0]) as link:
            _redeem(link)

    def replay() -> None:
        with pcsc.open_card(SLOTS[0]) as link:
            _replay(link, again.trace)

    return _timed(again, redeem), _timed(again, replay)


def _redeem(link: CardLink) -> None:
    """All that a counter does with a card but decide and record."""
    keys = OpenedCardKeys(HOME)
    tap = hear_chip(link, TRUST, keys, draw=counting(1))
    if tap.chip is None:
        raise SystemExit(f"the bench expects an open card, not {tap.heard}")
    tap.chip.commit_record(TAKEN, READER_ID)


def _replay(link: CardLink, trace: tuple[Exchange, ...]) -> None:
    for one in trace:
        data, sw = link.transmit(one.apdu)
        if data + sw.to_bytes(2, "big") != one.answer:
            raise SystemExit("the card answered the replay otherwise; the bench compares nothing")


def _again() -> Again:
    state = [counting(7)]

    def random(size: int) -> bytes:
        return state[0](size)

    card = Station().card(random=random)
    image = card.memory.copy()

    def restart() -> None:
        card.memory, state[0] = image.copy(), counting(7)

    restart()
    link = _link(card)
    _redeem(link)
    return Again(card, restart, tuple(link.trace))


def _link(card: DesfireCard) -> InProcessLink:
    return InProcessLink(card, error=ChipLinkError)


def _timed(again: Again, act: Callable[[], None]) -> float:
    again.restart()
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def _until_seen() -> None:
    """Pcscd looks at its readers every 0.4 s."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        try:
            with pcsc.open_card(SLOTS[0]):
                return
        except (ChipLinkError, ReaderError):
            time.sleep(0.05)
    raise SystemExit("the virtual reader does not see its card")


if __name__ == "__main__":
    main()
