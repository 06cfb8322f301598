"""A card torn at every frame of its making, with every fault, and laid down again in every way.

After each tear, before anything else: no counter serves the card unless it is whole, and another
card station leaves it alone. Then it is laid down again, at the same station or at one that lost
its power with it, and must become the very card it was begun as. `pytest -rP` shows the table.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from card_codec.chip.errors import ChipError
from card_codec.chip.khb1_making import check_card
from provisioning import chip_log
from provisioning.chip_log import Progress
from provisioning.office import Office, open_office
from provisioning.station import Done, Rejected, Station, Tap
from tests.card_station import COUNTERS, StationLink, serves, station_of
from tests.chip_world import counting
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Exchange, Fault
from virtual_card.memory import EV2, EV3, LIGHT

UID = b"\x04\xaa\x00\x00\x00\x00\x01"
AGAIN = ("re-tap", "power cut")
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
    rows: list[Row] = []
    for number, frame in enumerate(frames):
        cells = []
        for fault in Fault:
            ends = [_torn(opened_office, family, make, {number: fault}, way) for way in AGAIN]
            assert ends[0] == ends[1]
            cells.append(ends[0])
        rows.append(Row(number, _name(frame), tuple(cells)))
    _print_table(make, rows)
    # Until the last byte of the credential is there, the card is begun; then it is whole.
    assert {cell for row in rows for cell in row.cells} == {
        *("nothing begun", "finished", "whole already")
    }
    last_write = max(row.number for row in rows if row.name == "WriteData")
    for row in rows:
        for fault, cell in zip(Fault, row.cells, strict=True):
            if cell == "whole already":
                done = fault in {Fault.TORN_AFTER, Fault.ANSWER_LOST}
                assert row.number > last_write or (row.number == last_write and done)


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


@dataclass(frozen=True)
class Row:
    """One frame, and what each fault at it came to."""

    number: int
    name: str
    cells: tuple[str, ...]


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


def _torn(office: Office, family: bytes, make: int, faults: dict[int, Fault], way: str) -> str:
    """Tear, look, lay down again; what it came to."""
    card, station, queue = blank(UID, make=make), station_of(office), [family]
    with StationLink(card, faults) as link:
        first = station.tap(link, queue)
    assert first.outcome is Rejected.PULLED, faults
    begun = chip_log.every_chip(office.roster)
    whole = bool(begun) and _is_whole(station, card, first)
    assert _Refusing(office).refuses(card, family)
    served = [serves(station, card, one) for one in COUNTERS]
    assert whole or not any(served), faults
    if way == "power cut":
        station = station_of(office)
    with StationLink(card) as link:
        second = station.tap(link, queue)
    _assert_good(station, card, family)
    assert (len(chip_log.every_chip(office.roster)), queue) == (1, [])
    assert not begun or second.chip is not None
    assert not begun or (second.chip and second.chip.content == begun[0].content)
    office.roster.db.execute("DELETE FROM chip")
    assert second.outcome is (Done.FINISHED if begun else Done.MADE)
    return ("whole already" if whole else "finished") if begun else "nothing begun"


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
    print(f"\nchip {make:02X}: {len(rows)} frames x {len(Fault)} faults x {len(AGAIN)} ways again")
    for frame, name, *cells in (
        ("frame", "command", *Fault),
        *((str(row.number), row.name, *row.cells) for row in rows),
    ):
        print(f"{frame:5}  {name:24}  " + "  ".join(f"{cell:13}" for cell in cells))
    print(dict(Tally(cell for row in rows for cell in row.cells)))
