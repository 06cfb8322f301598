"""Every frame of a redemption by chip torn in every way, and every way to go on: as a table.

    python -m tests.chip_recovery

Through real journals of two counters that never meet, with the card as their only messenger.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1 import Khb1Open
from card_codec.chip.record import CardRecord, RecordKind, day_of
from card_codec.chip.tmac import reader_id
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.element import Right
from ledger.entry import Commit, Pending, Void
from terminal.counter import Presentation, Redeemed
from terminal.decision import Verdict
from tests.chip_town import PANGAN, Town, make_town
from tests.memory import MEMORY
from tests.world import NOW
from virtual_card.desfire import DesfireCard
from virtual_card.link import Fault

FLUSH = 17
"""One more than a card shows."""
Outcome = Redeemed | Verdict | ChipLinkError


class Next(StrEnum):
    """How it goes on after the card left too early."""

    POWER_CUT = "power cut"
    HERE = "re-tap here"
    ELSEWHERE = "re-tap elsewhere"
    FLUSHED = "flushed records"


class End(StrEnum):
    """How a family's case ended."""

    GIVEN = "given"
    """Goods went over the counter, once."""
    SHOWN = "open, shown"
    """Nobody can say whether the card committed: reserved, and on the screen until it can."""
    CHECKED = "refused, to be checked"
    """The card hides too much: refused by name, and given by two officers."""


@dataclass(frozen=True)
class Case:
    """One fault at one frame, and one way on."""

    frame: int
    fault: Fault
    then: Next


@dataclass(frozen=True)
class Ended:
    """What came of a case.

    Attributes:
        goods: how often goods were given.
        wrong: what must not be; empty when all holds.
    """

    end: End
    goods: int
    wrong: tuple[str, ...]


def cases(frames: int) -> Iterator[Case]:
    """Every case."""
    for frame in range(frames):
        for fault in Fault:
            for then in Next:
                yield Case(frame, fault, then)


def frames_of_a_redemption(town: Town) -> list[str]:
    """The commands of one redemption, in order."""
    link = town.link(town.card(town.family()))
    tap = town.counters[1].tap(link)
    town.counters[1].redeem(Presentation.of_tap(tap), PANGAN)
    return [_name(exchange.apdu) for exchange in link.trace]


def run(town: Town, case: Case) -> Ended:
    """Play one case with a family and a card of its own."""
    family = town.family()
    card = town.card(family)
    outcomes: list[Outcome] = [town.tap(1, card, faults={case.frame: case.fault})]
    if case.then is Next.POWER_CUT:
        town.restart(1)
    if case.then is Next.FLUSHED:
        flush(town, card)
    if case.then is Next.ELSEWHERE:
        outcomes.append(town.tap(2, card))
    outcomes.append(town.tap(1, card))
    outcomes.append(town.tap(1, card))
    outcomes.append(town.tap(2, card))
    return _ended(town, family, outcomes)


def frames_of_a_void(town: Town) -> list[str]:
    """The commands of a void with its card, in order."""
    card = town.card(town.family())
    given = town.tap(1, card)
    assert isinstance(given, Redeemed), given
    link = town.link(card)
    tap = town.counters[1].tap(link)
    town.counters[1].void(given.evidence[0].body.seq, reason="salah", second="WK", tap=tap)
    return [_name(exchange.apdu) for exchange in link.trace]


def run_void(town: Town, case: Case) -> Ended:
    """Redeem, then take it back with a card that is torn, and go on."""
    family = town.family()
    card = town.card(family)
    given = town.tap(1, card)
    assert isinstance(given, Redeemed), given
    seq = given.evidence[0].body.seq
    voided = _void(town, card, seq, {case.frame: case.fault})
    if case.then is Next.POWER_CUT:
        town.restart(1)
    if case.then is Next.FLUSHED:
        flush(town, card)
    if not voided:  # the card was gone before anything was recorded: the slip is shown instead
        town.counters[1].void(seq, reason="salah", second="WK")
    elsewhere = [town.tap(2, card)] if case.then is Next.ELSEWHERE else []
    after = [town.tap(1, card), town.tap(1, card), town.tap(2, card)]
    return _ended_void(town, family, elsewhere + after)


def _void(town: Town, card: DesfireCard, seq: int, faults: dict[int, Fault]) -> bool:
    try:
        tap = town.counters[1].tap(town.link(card, faults))
    except ChipLinkError:
        return False
    town.counters[1].void(seq, reason="salah", second="WK", tap=tap)
    return True


def _ended_void(town: Town, family: bytes, outcomes: list[Outcome]) -> Ended:
    """One redemption was taken back, so that one may stand."""
    goods = sum(isinstance(one, Redeemed) for one in outcomes)
    reasons = {one.reason for one in outcomes if isinstance(one, Refused)}
    wrong = [] if goods <= 1 else [f"goods were given {goods} times after one void"]
    if not goods and Reason.CARD_HISTORY_INCOMPLETE not in reasons:
        wrong.append(f"what was taken back can be taken nowhere: {reasons}")
    wrong += _unbalanced(town, family, goods, _waiting(town, family))
    return Ended(End.GIVEN if goods else End.CHECKED, goods, tuple(wrong))


def flush(town: Town, card: DesfireCard, *, count: int = FLUSH, seq: int = 1) -> None:
    """Somebody commits so often that no record from before can be seen."""
    for number in range(count):
        opened = _opened(town, card)
        record = CardRecord(RecordKind.REDEMPTION, 9, 1, seq + number, 9, 9, 0, 1, day_of(NOW))
        opened.commit_record(record, reader_id(9, 1))


def _opened(town: Town, card: DesfireCard) -> Khb1Open:
    tap = town.counters[2].tap(town.link(card))
    assert isinstance(tap.chip, Khb1Open), tap
    return tap.chip


def _ended(town: Town, family: bytes, outcomes: list[Outcome]) -> Ended:
    goods = sum(isinstance(one, Redeemed) for one in outcomes)
    waiting = _waiting(town, family)
    reasons = {one.reason for one in outcomes if isinstance(one, Refused)}
    wrong = []
    if goods > 1:
        wrong.append(f"goods were given {goods} times")
    if goods:
        end = End.GIVEN
    elif waiting:
        end = End.SHOWN
        numbers = {f"T001-{seq:04d}" for seq in waiting}
        if not numbers <= set(town.counters[1].state().unfinished):
            wrong.append("an open redemption is not on the screen")
    else:
        end = End.CHECKED
        if Reason.CARD_HISTORY_INCOMPLETE not in reasons:
            wrong.append(f"a family went home with nothing and no word of it: {reasons}")
    wrong += _unbalanced(town, family, goods, waiting)
    return Ended(end, goods, tuple(wrong))


def _unbalanced(town: Town, family: bytes, goods: int, waiting: list[int]) -> Iterator[str]:
    """What both journals say together must be what was given, and what still waits."""
    right = Right(family, 0, 1, 1)
    known = {
        element.id
        for counter in town.counters.values()
        for element in counter._desk.journal.known().elements(right)
        if counter.folder.config.ordinal == element.id.terminal
    }
    if len(known) != goods + len(waiting):
        yield f"{len(known)} redemptions stand, {goods} were given and {len(waiting)} wait"


def _waiting(town: Town, family: bytes) -> list[int]:
    """Redemptions of a family that counter 1 knows no end of."""
    settled: set[int] = set()
    pending = []
    for entry in town.entries(1):
        content = entry.content
        if isinstance(content, Pending) and content.household == family:
            pending.append(entry.body.seq)
        if isinstance(content, Commit | Void):
            settled.add(content.seq)
    return [seq for seq in pending if seq not in settled]


def _name(apdu: bytes) -> str:
    names = {
        0xA4: "select", 0x60: "GetVersion", 0xAF: "continue", 0xAD: "ReadData",
        0x71: "AuthenticateEV2First", 0x51: "GetCardUID", 0xF5: "GetFileSettings",
        0xAB: "ReadRecords", 0xA7: "AbortTransaction", 0xC8: "CommitReaderID",
        0x8B: "WriteRecord", 0xC7: "CommitTransaction",
    }  # fmt: skip
    return names.get(apdu[1], f"{apdu[1]:02X}")


def main() -> int:
    """Print the table; 1 if anything in it must not be."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        town = make_town(Path(folder))
        names = frames_of_a_redemption(town)
        ended = {case: run(town, case) for case in cases(len(names))}
        town.close()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        town = make_town(Path(folder))
        void_names = frames_of_a_void(town)
        voids = {case: run_void(town, case) for case in cases(len(void_names))}
        town.close()
    for title, of, found in (("redemption", names, ended), ("void", void_names, voids)):
        print(f"{title} by chip: the card torn at every frame")
        print("\n".join(table(of, found)))
    return 1 if any(one.wrong for one in (*ended.values(), *voids.values())) else 0


def table(names: list[str], ended: dict[Case, Ended]) -> Iterator[str]:
    """One line for each frame and fault, one column for each way on."""
    yield f"{'frame':24}{'fault':14}" + "".join(f"{then:24}" for then in Next)
    for frame, name in enumerate(names):
        for fault in Fault:
            row = [ended[Case(frame, fault, then)] for then in Next]
            told = "".join(f"{'WRONG' if one.wrong else one.end:24}" for one in row)
            yield f"{frame:2} {name:21}{fault:14}{told}".rstrip()
    wrong = {told for one in ended.values() for told in one.wrong}
    counts = {end: sum(one.end is end for one in ended.values()) for end in End}
    yield f"{len(ended)} cases: " + ", ".join(f"{count} {end}" for end, count in counts.items())
    yield from sorted(wrong)


if __name__ == "__main__":
    sys.exit(main())
