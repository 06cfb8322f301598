"""The power goes while a complaint is filed: it is whole or not there, and never filed twice."""

import random
import shutil
from pathlib import Path

import pytest

from card_codec.refusal import Refused
from ledger import database
from ledger.entry import Complaint, Entry
from ledger.errors import JournalError
from ledger.fsck import check_journal
from terminal.complaint import Filed
from tests.point import Point, make_point
from tests.simulation.disk import Disk

pytestmark = pytest.mark.crash
CALLS_MAX = 200


def test_power_cut_at_any_call_leaves_one_complaint_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfiled = answered = 0
    for at in range(1, CALLS_MAX):
        point = make_point(tmp_path / str(at))
        said, calls = cut_while_filing(point, at, monkeypatch)
        complaints = held(point)
        assert len(complaints) <= 1
        if said is not None:  # what was said to the family is on the disk
            assert [entry.id.number() for entry in complaints] == [said.number]
            answered += 1
        unfiled += not complaints
        again = point.counter.file_complaint(1)
        assert isinstance(again, Filed)
        assert again.again is bool(complaints)
        assert len(held(point)) == 1
        point.counter.close()
        assert check_journal(point.folder.journal, terminal=1, epoch=1).faults == ()
        shutil.rmtree(tmp_path / str(at))
        if said is not None and calls < at:
            break
    else:
        pytest.fail("filing never came to its end")
    assert unfiled
    assert answered


def cut_while_filing(
    point: Point, at: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Filed | None, int]:
    """Refuse, file, and cut the power at a call of the disk; what was said, and how many calls."""
    disk = Disk(random.Random(at))
    with monkeypatch.context() as patch:
        patch.setattr(database, "connect", disk.connect)
        point.restart()
        assert isinstance(point.show("dahlia"), Refused)
        before = disk.faults.calls
        disk.faults.cut_at = before + at
        said: Filed | Refused | None = None
        try:
            said = point.counter.file_complaint(1)
        except JournalError:
            assert disk.off
        calls = disk.faults.calls - before
        if disk.off:
            said = None  # a machine that is off has answered nobody
        disk.cut()
    point.counter = point.world.counter(point.folder)
    assert not isinstance(said, Refused)
    return said, calls


def held(point: Point) -> list[Entry]:
    """The complaints in the journal."""
    found = [entry for entry, _ in point.counter._desk.journal.tail(100)]
    return [entry for entry in found if isinstance(entry.content, Complaint)]
