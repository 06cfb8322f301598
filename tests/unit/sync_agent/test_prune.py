"""A journal lets go of what is acknowledged, archived and settled, and of nothing else."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from card_codec.chip.record import CardRecord, RecordKind, day_of, encode_record
from ledger import database
from ledger.backup import NAME, back_up, check_backup
from ledger.cli import main
from ledger.clock import Reading
from ledger.element import RedemptionId
from ledger.entry import CARD_LEAF, Basis, Commit, Kind, Observed, Pending
from ledger.errors import JournalError, NotSavedError
from ledger.folder import open_folder
from ledger.fsck import check_journal
from ledger.journal import Identity, create_journal, open_journal
from ledger.policy import DAY
from ledger.prune import Pruned, prune
from ledger.restore import bring_back
from sync_agent.errors import PrunedError
from sync_agent.province.sticks import once_with
from sync_agent.stick import Stick
from terminal.counter import Presentation, Redeemed, Request, open_counter
from terminal.redeem import append
from tests.commands import Command
from tests.simulation.disk import Disk
from tests.sync_world import SyncWorld, install, small_world, sync
from tests.unit.ledger.journals import everything
from tests.unit.ledger.test_backup import new_epoch
from tests.world import NOW

pytestmark = pytest.mark.slow

SETTLED = 80 * DAY
"""The window of the world closes after 60 days, and is settled 14 days later."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    """One day was served, closed and acknowledged; a second one was begun."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _handle: None)
        made = small_world(tmp_path / "world")
        first_day(made)
        yield made
    made.province.close()


def first_day(world: SyncWorld) -> None:
    there_and_back(world)
    counter = open_counter(world.one, clock=world.clock)
    for household in world.homes_1[:2]:
        given = counter.redeem(Presentation(world.card(household)), Request("pangan", None, 1))
        assert isinstance(given, Redeemed)
    assert counter.void(1, reason="salah", second="DUA").number == "T001-0001"
    assert counter.close_day() is not None
    counter.look(Presentation("KHB1XX"), Request("pangan"))
    counter.close()
    there_and_back(world)


def there_and_back(world: SyncWorld) -> None:
    with world.serving() as at:
        sync(world.one, at.url)
    install(world, world.one)
    with world.serving() as at:
        sync(world.one, at.url)
    install(world, world.one)


def later(world: SyncWorld, seconds: int = SETTLED) -> Reading:
    """Time goes on, and the office signs what says so."""
    world.clock.pass_time(seconds)
    world.province.release(world.sign_release())
    there_and_back(world)
    return world.clock.read()


def archived(world: SyncWorld, tmp_path: Path) -> Path:
    back_up(world.one.journal, tmp_path / "archive")
    return tmp_path / "archive"


def whole(world: SyncWorld) -> bool:
    return check_journal(world.one.journal, terminal=1, epoch=1).faults == ()


def test_days_that_are_acknowledged_archived_and_settled_go(
    world: SyncWorld, tmp_path: Path
) -> None:
    archive, now = archived(world, tmp_path), later(world)
    before: dict[str, list[tuple[Any, ...]]] = everything(world.one.journal)
    close = next(row[0] for row in before["entry"] if row[1] == Kind.CLOSE)
    assert prune(world.one, archive, now) == Pruned(close, close)
    after: dict[str, list[tuple[Any, ...]]] = everything(world.one.journal)
    assert after["entry"] == [row for row in before["entry"] if row[0] > close]
    assert whole(world)
    journal = open_journal(world.one.journal)
    assert (journal.pruned(), journal.leaf(close)) == (close, before["entry"][close - 1][4])
    assert journal.head().seq == len(before["entry"])
    journal.close()
    # What the province's usage says of them stays known, until the next ledger is taken.
    assert {row[:10] for row in after["element"]} == {row[:10] for row in before["element"]}
    assert prune(world.one, archive, now) == Pruned(0, close)


def test_service_sync_and_backup_go_on_after_it(world: SyncWorld, tmp_path: Path) -> None:
    archive, now = archived(world, tmp_path), later(world)
    cut = prune(world.one, archive, now).up_to
    counter = open_counter(world.one, clock=world.clock)
    counter.look(Presentation("KHB1XX"), Request("pangan"))
    head = counter.state().seq
    assert counter.close_day() is not None
    counter.close()
    there_and_back(world)
    assert world.province.head(1, 1).seq == head + 1 > cut
    assert whole(world)
    made = back_up(world.one.journal, tmp_path / "second")
    assert check_backup(tmp_path / "second")[0].entries == made.entries == head + 1
    folder = new_epoch(world)
    bring_back(folder, tmp_path / "second", signer=folder.signer(), now=world.clock.read())
    assert check_journal(folder.journal, terminal=1, epoch=2).faults == ()


def test_what_chips_showed_goes_with_its_day_and_what_still_waits_stays(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _handle: None)
        world = small_world(tmp_path / "world")
        there_and_back(world)
        settled, waits, later_seen = world.homes_1[:3]
        elsewhere = world.homes_2[0]
        committed = tap_day(world, Pending(settled, 1, 0, 1, 1, 1, 0, Basis.HOME, UID, 1, 0))
        tap_day(world, shown_by(elsewhere, seq=7))
        tap_day(world, Pending(waits, 1, 0, 1, 1, 1, 0, Basis.HOME, UID, 5, 0), commit=False)
        tap_day(world, shown_by(later_seen, seq=8))
        archive, now = archived(world, tmp_path), later(world)
        before = everything(world.one.journal)
        closes = [row[0] for row in before["entry"] if row[1] == Kind.CLOSE]
        assert prune(world.one, archive, now).up_to == closes[1], "the third day still waits"
    after = everything(world.one.journal)
    assert committed not in {row[0] for row in after["pending"]}
    assert len(after["pending"]) == 1
    assert after["card_commit"] == before["card_commit"]
    held = {row[0] for row in after["element"] if row[7] == CARD_LEAF}
    assert held == {later_seen}
    assert whole(world)
    world.province.close()


def test_cut_off_redemption_that_was_corrected_holds_no_day_back(
    world: SyncWorld, tmp_path: Path
) -> None:
    family = world.homes_1[2]
    waits = tap_day(world, Pending(family, 1, 0, 1, 1, 1, 0, Basis.HOME, UID, 5, 0), commit=False)
    archive, now = archived(world, tmp_path), later(world)
    assert prune(world.one, archive, now).up_to < waits
    world.change(corrected={(RedemptionId(1, 1, waits), family): 1})
    now = later(world, 60)
    assert prune(world.one, archive, now).up_to > waits
    assert whole(world)
    held = everything(world.one.journal)
    assert (held["pending"], held["corrected"]) == ([], [(1, 1, waits, family)])


UID = bytes.fromhex("04010203040506")


def shown_by(household: bytes, *, seq: int) -> Observed:
    """What a chip shows that was tapped at another terminal."""
    record = CardRecord(RecordKind.REDEMPTION, 9, 1, seq, 1, 1, 0, 1, day_of(NOW))
    return Observed(household, 1, UID, seq, bytes(8), encode_record(record))


def tap_day(world: SyncWorld, content: Pending | Observed, *, commit: bool = True) -> int:
    """A day with one tap, closed and acknowledged; the number of the tap's entry."""
    counter = open_counter(world.one, clock=world.clock)
    desk = counter._desk
    with desk.journal.act() as act:
        moment = act.moment(world.clock.read())
        entry, _ = append(desk, act, moment, content)
        if isinstance(content, Pending) and commit:
            append(desk, act, moment, Commit(entry.body.seq, content.counter + 1, bytes(8)))
    assert counter.close_day() is not None
    counter.look(Presentation("KHB1XX"), Request("pangan"))
    counter.close()
    there_and_back(world)
    return entry.body.seq


def test_unsettled_unacknowledged_or_other_archives_let_nothing_go(
    world: SyncWorld, tmp_path: Path
) -> None:
    archive = archived(world, tmp_path)
    assert prune(world.one, archive, world.clock.read()) == Pruned(0, 0), "the window is open"
    assert prune(world.one, archive, later(world, 70 * DAY)) == Pruned(0, 0), "not settled yet"
    back_up(world.two.journal, tmp_path / "of two")
    with pytest.raises(JournalError, match="another terminal or epoch"):
        prune(world.one, tmp_path / "of two", world.clock.read())
    data = (archive / NAME).read_bytes()
    (archive / NAME).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(JournalError, match="not the file that was copied"):
        prune(world.one, archive, later(world, 20 * DAY))


def test_what_nobody_acknowledged_stays(tmp_path: Path) -> None:
    world = small_world(tmp_path / "world")
    world.clock.pass_time(1)
    counter = open_counter(world.one, clock=world.clock)
    counter.redeem(Presentation(world.card(world.homes_1[0])), Request("pangan", None, 1))
    counter.close_day()
    counter.look(Presentation("KHB1XX"), Request("pangan"))
    counter.close()
    archive = archived(world, tmp_path)
    world.clock.pass_time(SETTLED)
    world.province.release(world.sign_release())
    stick = tmp_path / "stick"
    stick.mkdir()
    once_with(world.province, Stick(stick))
    sync(world.one, stick)
    assert install(world, world.one).problem is None
    assert prune(world.one, archive, world.clock.read()) == Pruned(0, 0)
    world.province.close()


def test_archive_of_another_history_is_refused(world: SyncWorld, tmp_path: Path) -> None:
    archive, now = archived(world, tmp_path), later(world)
    for file in world.one.root.glob("journal.db*"):
        file.unlink()
    create_journal(world.one.journal, Identity(1, 1, world.one.signer().public)).close()
    with pytest.raises(JournalError, match="another history"):
        prune(world.one, archive, now)


def test_power_cut_at_any_call_leaves_the_old_journal_or_the_pruned_one(
    world: SyncWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, now = archived(world, tmp_path), later(world)
    kept = tmp_path / "kept"
    shutil.copytree(world.one.root, kept)
    newest = len(everything(world.one.journal)["entry"])
    ends = set()
    at = 0
    while True:
        at += 1
        shutil.rmtree(world.one.root)
        shutil.copytree(kept, world.one.root)
        disk = Disk(random.Random(at))
        with monkeypatch.context() as patch:
            patch.setattr(database, "connect", disk.connect)
            disk.faults.cut_at = disk.faults.calls + at
            done = None
            try:
                done = prune(world.one, archive, now)
            except (JournalError, apsw.Error):
                assert disk.off
            was_cut = disk.off
            disk.cut()
        journal = open_journal(world.one.journal)
        ends.add(journal.pruned())
        assert journal.head().seq == newest
        if done is not None and not was_cut:
            assert journal.pruned() == done.up_to > 0
        journal.close()
        assert whole(world)
        if not was_cut:
            break
    assert at > 5
    assert len(ends) == 2


def test_full_disk_lets_nothing_go(
    world: SyncWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, now = archived(world, tmp_path), later(world)
    disk = Disk(random.Random(1))
    with monkeypatch.context() as patch:
        patch.setattr(database, "connect", disk.connect)
        disk.faults.room = 0
        with pytest.raises(NotSavedError):
            prune(world.one, archive, now)
        disk.faults.room = None
    assert whole(world)
    assert open_journal(world.one.journal).pruned() == 0


def test_command_says_what_it_let_go_of(
    world: SyncWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Command(main, monkeypatch, capsys)
    archive = archived(world, tmp_path)
    where = ("--config", world.one.root)
    assert "nothing to let go of" in run("prune", *where, "--archive", archive).out
    later(world)
    monkeypatch.setattr("ledger.cli.SystemClock", lambda: world.clock)
    told = run("prune", *where, "--archive", archive, "--json")
    assert told.report["entries"] == told.report["up_to"] > 0
    assert "no copy" in run("prune", *where, "--archive", tmp_path / "none").sentence
    # A province that lost them is handed the archive, by stick.
    world.province.close()
    for file in world.province_folder.root.glob("province.db*"):
        file.unlink()
    world.province = world.reopened()
    with world.serving() as at, pytest.raises(PrunedError, match="hand-in"):
        sync(world.one, at.url)
    former = Path(str(run("hand-in", *where, "--from", archive, "--json").report["former"]))
    stick = tmp_path / "stick"
    stick.mkdir()
    once_with(world.province, Stick(stick))  # it asks for what it lost
    sync(open_folder(former), stick)
    assert once_with(world.province, Stick(stick)).accepted > 0
    there_and_back(world)
    journal = open_journal(world.one.journal)
    assert world.province.head(1, 1).seq == journal.head().seq
    journal.close()
