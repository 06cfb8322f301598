"""The power goes at any moment: what was answered is on the disk, and what is there holds."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from ledger import database
from ledger import journal as journal_module
from ledger.errors import JournalError, NotSavedError
from ledger.fsck import check_journal
from ledger.journal import Journal, open_journal
from tests.simulation.disk import Disk
from tests.unit.ledger.journals import commit, fresh, given
from tests.unit.ledger.samples import KEY

CUTS = 500
CALLS = 500
SHM = Path("/dev/shm")  # noqa: S108 - the machine's memory, where it has it

pytestmark = pytest.mark.crash


@dataclass
class Ended:
    """How a run ended: entries answered for, entries found again, and what fsck said."""

    answered: int
    found: int
    faults: tuple[str, ...]

    @property
    def lost(self) -> int:
        return max(0, self.answered - self.found)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: what is asked here is not how fast the disk is."""
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None, prefix="khb-cut-"))
    yield folder
    shutil.rmtree(folder)


def test_no_power_cut_takes_an_answered_entry(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [cut_once(memory / str(seed), seed, monkeypatch) for seed in range(CUTS)]
    assert [end.faults for end in ends if end.faults] == []
    assert sum(end.lost for end in ends) == 0
    assert sum(end.answered for end in ends) > 10 * CUTS


def test_without_a_sync_at_each_commit_power_cuts_do_take_answered_entries(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of these tests can lose: the first test is no empty one."""
    sync_less(monkeypatch)
    ends = [cut_once(memory / str(seed), seed, monkeypatch) for seed in range(CUTS // 5)]
    assert sum(1 for end in ends if end.lost) > CUTS // 20


def test_a_disk_that_lies_about_syncing_is_found_out_or_loses(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [cut_once(memory / str(seed), seed, monkeypatch, lies=True) for seed in range(100)]
    assert any(end.lost or end.faults for end in ends)


@pytest.mark.parametrize(
    "error", [apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_FULL]
)
def test_an_error_at_any_call_is_told_and_nothing_answered_is_lost(
    memory: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    told = 0
    for at in range(1, 120):
        folder = memory / str(at)
        disk, journal = opened(folder, at, monkeypatch)
        disk.faults.fail_at, disk.faults.error = disk.faults.calls + at, error
        answered = []
        for number in range(30):
            try:
                answered += commit(journal, given(household=number.to_bytes(8, "big")))
            except NotSavedError as refused:
                told += "do not hand over" in refused.detail
        journal.close()
        again = open_journal(folder / "journal.db")
        kept = again.signed_run(1)[0]
        again.close()
        assert [entry for entry in answered if entry not in kept] == []
        assert found_at(folder).faults == ()
        shutil.rmtree(folder)
    assert told > 20


def cut_once(
    folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch, *, lies: bool = False
) -> Ended:
    """Record until the power goes, then look at what is there."""
    disk, journal = opened(folder, seed, monkeypatch)
    disk.faults.lies = lies
    disk.faults.cut_at = disk.faults.calls + random.Random(seed).randrange(1, CALLS)
    answered = journal.head().seq
    try:
        while not disk.off:
            commit(journal, given(household=answered.to_bytes(8, "big")))
            answered += not disk.off  # a machine that is off has answered nobody
    except JournalError:
        assert disk.off
    disk.cut()
    ended = found_at(folder)
    shutil.rmtree(folder)
    return Ended(answered, ended.found, ended.faults)


def opened(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Disk, Journal]:
    folder.mkdir()
    fresh(folder).close()
    disk = Disk(random.Random(seed))
    monkeypatch.setattr(database, "connect", disk.connect)
    return disk, open_journal(folder / "journal.db")


def found_at(folder: Path) -> Ended:
    """What the next start finds."""
    path = folder / "journal.db"
    try:
        journal = open_journal(path)
        journal.close()
    except JournalError as error:
        return Ended(0, 0, (error.detail,))
    checked = check_journal(path, terminal=1, epoch=1, key=KEY.public)
    return Ended(0, checked.entries, checked.faults)


def sync_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if somebody had set NORMAL and taken the check away."""

    def careless(connection: sqlite3.Connection) -> None:
        for pragma in journal_module.PRAGMAS:
            connection.execute(pragma.replace("FULL", "NORMAL"))

    monkeypatch.setattr(journal_module, "_make_durable", careless)
