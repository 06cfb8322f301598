"""A card torn at every frame of its making, with every fault, and every way to go on.

After each tear, before anything else: no counter serves the card unless it is whole, each names why
not, and another card station leaves it alone. Then it is laid down again at the same station, at
one that lost its power with it, after it lay on a terminal, or after a thief of a redeem key has
pushed out all its records. It becomes the very card it was begun as, or is set aside by name.
`pytest -rP` shows the table.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from card_codec.chip.errors import ChipError
from card_codec.chip.khb1 import Khb1, Khb1Open
from card_codec.chip.khb1_files import HOME_KEYS, RECORDS_KEPT
from card_codec.chip.khb1_making import check_card
from card_codec.chip.record import CardRecord, RecordKind
from card_codec.chip.tmac import reader_id
from provisioning import chip_log
from provisioning.chip_log import Progress
from provisioning.office import Office, open_office
from provisioning.station import Done, Rejected, Station, Tap
from tests.card_station import (
    COUNTERS,
    SERVED,
    StationLink,
    heard_at,
    serves,
    station_of,
)
from tests.chip_recovery import Next
from tests.chip_world import counting
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Exchange, Fault
from virtual_card.memory import EV2, EV3, LIGHT

HOME = HOME_KEYS[0]
UID = b"\x04\xaa\x00\x00\x00\x00\x01"
NAMES = {
    0x5A: "SelectApplication", 0x60: "GetVersion", 0x6A: "GetApplicationIDs", 0x51: "GetCardUID",
    0xCA: "CreateApplication", 0xCD: "CreateStdDataFile", 0xC0: "CreateCyclicRecordFile",
    0xCE: "CreateTransactionMACFile", 0xDF: "DeleteFile", 0x5F: "ChangeFileSettings",
    0xF5: "GetFileSettings", 0x64: "GetKeyVersion", 0xC4: "ChangeKey", 0x5C: "SetConfiguration",
    0xAD: "ReadData", 0x8D: "WriteData", 0xAB: "ReadRecords", 0x8B: "WriteRecord",
    0xC8: "CommitReaderID", 0xC7: "CommitTransaction", 0xA7: "AbortTransaction",
    0x71: "AuthenticateEV2First", 0xAF: "(next frame)",
}  # fmt: skip


@pytest.fixture
def opened_office(office: Path) -> Iterator[Office]:
    with open_office(office) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("make", [EV2, EV3, LIGHT])
def test_card_torn_at_any_frame_is_finished_or_left_and_never_good_by_halves(
    opened_office: Office, make: int
) -> None:
    family = next(iter(opened_office.roster.households())).id
    frames = _frames(opened_office, family, make)
    assert len(frames) > 60
    rows = [
        Row(number, _name(frame), fault, _ended(opened_office, family, make, {number: fault}))
        for number, frame in enumerate(frames)
        for fault in Fault
    ]
    _print_table(make, rows)
    last_write = max(row.number for row in rows if row.name == "WriteData")
    for row in rows:
        assert row.ends[Next.HERE] == row.ends[Next.POWER_CUT]
        # Until the last byte of the credential is there, the card is begun; then it is whole.
        done = row.fault in {Fault.TORN_AFTER, Fault.ANSWER_LOST}
        is_late = row.number > last_write or (row.number == last_write and done)
        assert is_late or WHOLE not in row.ends.values()
        assert (row.ends[Next.ELSEWHERE] == SERVED) == (row.ends[Next.HERE] == WHOLE)
    assert {row.ends[Next.HERE] for row in rows} == {NOTHING, FINISHED, WHOLE}
    assert {row.ends[Next.ELSEWHERE] for row in rows} == {SERVED, *NAMED}
    assert {row.ends[Next.FLUSHED] for row in rows} == {NOTHING, FINISHED, SET_ASIDE}


@pytest.mark.parametrize("seed", range(40))
def test_card_torn_again_and_again_becomes_one_good_card(opened_office: Office, seed: int) -> None:
    random = Random(seed)
    families = [one.id for one in opened_office.roster.households()][:1]
    family, card = families[0], blank(UID, make=random.choice([EV2, EV3, LIGHT]))
    station, tears = station_of(opened_office), 0
    while True:
        fault = {random.randrange(120): random.choice(list(Fault))}
        with StationLink(card, fault) as link:
            tap = station.tap(link, families)
        if tap.is_done or tap.outcome is Rejected.ALREADY_PERSONALISED:
            break
        assert tap.outcome is Rejected.PULLED
        tears += 1
    assert tears < 200
    _assert_good(station, card, family)
    assert len(chip_log.every_chip(opened_office.roster)) == 1


def test_power_cut_between_the_check_and_the_log_is_made_good(
    opened_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = [one.id for one in opened_office.roster.households()]
    card, station = blank(UID), station_of(opened_office)

    class PowerCut(BaseException):
        pass

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched, StationLink(card) as link:
        patched.setattr(chip_log, "finish", cut)
        with pytest.raises(PowerCut):
            station.tap(link, families[:1])
    assert [one.progress for one in chip_log.every_chip(opened_office.roster)] == [Progress.BEGUN]
    with StationLink(card) as link:
        assert station_of(opened_office).tap(link, []).outcome is Done.FINISHED
    _assert_good(station, card, families[0])


NOTHING, FINISHED, WHOLE = "nothing begun", "finished", "whole already"
NAMED = ("not_our_card", "unreadable", "malformed")
"""What a terminal says of a card that is half made; each has its words on the screen."""
SET_ASIDE = "set aside"
"""It does not hold what was written: told by name, and never entered as made."""


@dataclass(frozen=True)
class Row:
    """One frame and one fault, and what came of it by each way on."""

    number: int
    name: str
    fault: Fault
    ends: dict[Next, str]


@dataclass(frozen=True)
class _Refusing:
    """A card station that knows nothing of this chip."""

    office: Office

    def refuses(self, card: DesfireCard, family: bytes) -> bool:
        """Whether it leaves a card alone, or finds a blank one as it was delivered."""
        before = card.memory.copy()
        roster = self.office.roster
        rows = roster.db.execute("SELECT * FROM chip").fetchall()
        roster.db.execute("DELETE FROM chip")
        with StationLink(card) as link:
            tap = station_of(self.office).tap(link, [])
        roster.insert_all("chip", rows)
        blank_still = tap.outcome is Rejected.NOBODY_WAITS and not before.applications
        light_still = tap.outcome is Rejected.NOBODY_WAITS and before.make == LIGHT
        left = tap.outcome is Rejected.OTHER_STATION or blank_still or light_still
        return left and card.memory == before


def _frames(office: Office, family: bytes, make: int) -> list[Exchange]:
    with StationLink(blank(UID, make=make)) as link:
        assert station_of(office).tap(link, [family]).outcome is Done.MADE
    office.roster.db.execute("DELETE FROM chip")
    return link.trace


def _ended(office: Office, family: bytes, make: int, faults: dict[int, Fault]) -> dict[Next, str]:
    return {way: _torn(office, family, make, faults, way) for way in Next}


def _torn(office: Office, family: bytes, make: int, faults: dict[int, Fault], way: Next) -> str:
    """Tear, look, go on; what it came to. Elsewhere: what the terminal said of it."""
    card, station, queue = blank(UID, make=make), station_of(office), [family]
    with StationLink(card, faults) as link:
        first = station.tap(link, queue)
    assert first.outcome is Rejected.PULLED, faults
    begun = chip_log.every_chip(office.roster)
    whole = bool(begun) and _is_whole(station, card, first)
    assert _Refusing(office).refuses(card, family)
    served = [serves(station, card, one) for one in COUNTERS]
    assert whole or not any(served), faults
    told = heard_at(station, card, COUNTERS[0]) if way is Next.ELSEWHERE else ""
    flushed = way is Next.FLUSHED and bool(begun) and _flush(station, card)
    if way is Next.POWER_CUT:
        station = station_of(office)
    with StationLink(card) as link:
        second = station.tap(link, queue)
    if flushed and second.outcome is Rejected.NOT_AS_WRITTEN:
        assert [one.progress for one in chip_log.every_chip(office.roster)] == [Progress.BEGUN]
        office.roster.db.execute("DELETE FROM chip")
        return SET_ASIDE
    _assert_good(station, card, family)
    assert (len(chip_log.every_chip(office.roster)), queue) == (1, [])
    assert not begun or (second.chip and second.chip.content == begun[0].content)
    office.roster.db.execute("DELETE FROM chip")
    assert second.outcome is (Done.FINISHED if begun else Done.MADE)
    return told or ((WHOLE if whole else FINISHED) if begun else NOTHING)


def _flush(station: Station, card: DesfireCard) -> bool:
    """Commit so often that no record from before is left, as a thief of a redeem key could.

    Returns:
        Whether the card let it happen; before its keys are set it does not.
    """
    (chip,) = chip_log.every_chip(station.office.roster)
    record = CardRecord(RecordKind.REDEMPTION, 9, 1, 1, 9, 9, 0, 1, 20_570)
    with StationLink(card) as link, suppress(ChipError):
        found = Khb1().recognise(link)
        if found is None:
            return False
        opened = Khb1Open(link, found, station.plan(chip).keys[HOME], HOME, counting(7))
        opened.read_back()
        for number in range(RECORDS_KEPT + 1):
            opened.commit_record(replace(record, seq=number), reader_id(9, 1))
        return True
    return False


def _is_whole(station: Station, card: DesfireCard, tap: Tap) -> bool:
    (chip,) = chip_log.every_chip(station.office.roster)
    with StationLink(card) as link:
        try:
            check_card(link, station.plan(chip), counting(9))
        except ChipError:
            return False
    return True


def _assert_good(station: Station, card: DesfireCard, family: bytes) -> None:
    (chip,) = chip_log.every_chip(station.office.roster)
    assert (chip.household, chip.progress) == (family, Progress.MADE)
    with StationLink(card) as link:
        check_card(link, station.plan(chip), counting(9))
    own = COUNTERS[:1] if card.memory.make == LIGHT else COUNTERS
    assert all(serves(station, card, one) for one in own)


def _name(frame: Exchange) -> str:
    if frame.apdu[0] == 0x90:
        return NAMES[frame.apdu[1]]
    return "SELECT"


def _print_table(make: int, rows: list[Row]) -> None:
    print(f"\nchip {make:02X}: {len(rows)} frames and faults x {len(Next)} ways on")
    print(f"{'frame':27}{'fault':14}" + "".join(f"{way:18}" for way in Next))
    for row in rows:
        cells = "".join(f"{row.ends[way]:18}" for way in Next)
        print(f"{row.number:3} {row.name:23}{row.fault:14}{cells}".rstrip())
    for way in Next:
        print(f"{way}: {dict(Tally(str(row.ends[way]) for row in rows))}")
