"""A disk that fills up: nothing is given that could not be kept, and the chain is sealed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger import database, space
from ledger.entry import Entry, Kind, Sealed
from ledger.errors import DiskFullError
from ledger.fsck import check_journal
from terminal.counter import Redeemed, open_counter
from tests.point import Point, make_point
from tests.simulation.disk import Disk

PLENTY = 1 << 40


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


class Gauge:
    """Says how much room there is."""

    def __init__(self) -> None:
        self.bytes = PLENTY

    def __call__(self, folder: Path) -> int:
        return self.bytes


def gauged(point: Point) -> Gauge:
    gauge = Gauge()
    point.counter.close()
    point.counter = open_counter(point.folder, clock=point.world.clock, free=gauge)
    return gauge


def entries(point: Point) -> list[Entry]:
    return point.counter._desk.journal.signed_run(1)[0]


def test_nothing_is_given_on_a_disk_that_is_nearly_full_and_with_room_it_goes_on(
    point: Point,
) -> None:
    gauge = gauged(point)
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    gauge.bytes = space.ROOM_MIN - 1
    assert point.show("mawar") == Refused(Reason.DISK_FULL)
    assert [entry.kind for entry in entries(point)][-1] is Kind.REFUSAL
    gauge.bytes = space.ROOM_MIN
    assert isinstance(point.show("mawar", quantity=1), Redeemed)


def on_a_disk(point: Point, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The journal on a disk of the test's own; what it says of its room is another thing."""
    disk = Disk(random.Random(1))
    monkeypatch.setattr(database, "connect", disk.connect)
    gauged(point)
    return disk


def test_full_disk_seals_the_chain_from_the_reserve_and_with_room_it_goes_on(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = on_a_disk(point, monkeypatch)
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    reserve = point.folder.root / "reserve"
    assert reserve.stat().st_size == space.RESERVE_BYTES
    give_back = space.Reserve.give_back

    def give_room_back(self: space.Reserve) -> None:
        give_back(self)
        disk.faults.room = space.RESERVE_BYTES

    monkeypatch.setattr(space.Reserve, "give_back", give_room_back)
    disk.faults.room = 0
    with pytest.raises(DiskFullError, match="do not hand over"):
        point.show("mawar", quantity=1)
    assert not reserve.exists()
    last = entries(point)[-1]
    assert last.content == Sealed("disk_full", 1, last.body.seq - 1, last.body.prev)
    sealed_at = last.body.seq
    disk.faults.room = None
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    assert reserve.exists()
    assert entries(point)[sealed_at].kind in {Kind.HANDOVER, Kind.REDEMPTION}
    point.counter.close()
    monkeypatch.undo()
    assert check_journal(point.folder.journal, terminal=1, epoch=1).faults == ()
    point.counter = point.world.counter(point.folder)


def test_disk_without_even_the_reserve_refuses_and_seals_once(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = on_a_disk(point, monkeypatch)
    point.show("mawar", quantity=1)
    disk.faults.room = 0
    for _ in range(3):
        with pytest.raises(DiskFullError):
            point.show("mawar", quantity=1)
    disk.faults.room = None
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    assert Kind.SEAL not in {entry.kind for entry in entries(point)}


def test_seal_that_names_another_head_is_a_fault(point: Point) -> None:
    from tests.unit.ledger.journals import commit, fresh, given

    folder = point.world.folder / "other"
    folder.mkdir()
    journal = fresh(folder)
    commit(journal, given())
    commit(journal, Sealed("disk_full", 1, 1, bytes(32)))
    journal.close()
    checked = check_journal(folder / "journal.db", terminal=1, epoch=1)
    assert checked.faults == ("entry 2 seals another head than the one before it",)
