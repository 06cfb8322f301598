"""From journal to province and back by network, with everything that goes wrong on a line."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ledger.entry import Opened
from ledger.errors import RolledBackError
from ledger.folder import TerminalFolder
from ledger.install import installed_version
from ledger.journal import Identity, create_journal
from sync_agent.agent import Report, sync_once
from sync_agent.batch import Batch
from sync_agent.bringing import SUPERSEDED_SECONDS
from sync_agent.errors import BusyError, ForkError, RefusedThereError, RoadClosedError
from sync_agent.http_road import HttpRoad
from sync_agent.messages import OfferItem, Taken
from tests.sync_world import TOKEN, SyncWorld, acknowledged, install, small_world, sync, taken

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


def test_redemption_at_one_counter_is_known_at_the_other_after_both_sync(world: SyncWorld) -> None:
    household = world.homes_1[0]
    world.take(world.one, household)
    with world.serving() as at:
        first = sync(world.one, at.url)
        assert (first.uploaded, first.accepted, first.acknowledgement) == (1, 1, "T001-0001")
        assert (first.ledger_version, first.usage_new) == (2, 1)
        second = sync(world.two, at.url)
        assert (second.uploaded, second.accepted, second.acknowledgement) == (0, 0, None)
        assert (second.ledger_version, second.usage_new) == (2, 1)
    for folder in (world.one, world.two):
        installed = install(world, folder)
        assert (installed.problem, installed.ledger) == (None, 2)
        assert taken(folder, household) == 1
    assert acknowledged(world.one) == 1


def test_double_is_found_with_the_same_winner_whoever_syncs_first(tmp_path: Path) -> None:
    verdicts = []
    for order in ("one two", "two one"):
        world = small_world(tmp_path / order.replace(" ", "-"))
        household = world.homes_2[0]
        world.take(world.one, household)
        world.take(world.two, household)
        with world.serving() as at:
            for name in order.split():
                sync(getattr(world, name), at.url)
        (case,) = world.province.cases()
        verdicts.append((case.kind, case.winner, [c.id.number() for c in case.losers]))
        assert len(world.province.redemptions()) == 2
        world.province.close()
    assert verdicts == [("double", "T002-0001", ["T001-0001"])] * 2


def test_nothing_new_moves_nothing(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        before = {p: p.stat().st_mtime_ns for p in world.one.in_box.rglob("*")}
        again = sync(world.one, at.url)
        assert (again.uploaded, again.accepted, again.usage_new) == (0, 0, 0)
        assert again.acknowledgement == "T001-0001"
        assert {p: p.stat().st_mtime_ns for p in world.one.in_box.rglob("*")} == before


def test_long_journal_goes_in_batches_of_five_hundred(world: SyncWorld) -> None:
    for number in range(1_001):
        world.record(world.one, Opened(f"hari {number}"))
    sizes: list[int] = []

    class Counting(HttpRoad):
        def send(self, batch: Batch) -> Taken | None:
            sizes.append(len(batch.entries))
            return super().send(batch)

    with world.serving() as at:
        road = Counting(at.url, TOKEN.format(1), terminal=1, epoch=1)
        report = sync_once(world.one, road, now=0)
        road.close()
    assert sizes == [500, 500, 1]
    assert (report.uploaded, report.accepted, report.acknowledgement) == (1_001, 1_001, "T001-1001")


class Losing(HttpRoad):
    """Every answer to a batch is lost on the way back."""

    def send(self, batch: Batch) -> Taken | None:
        super().send(batch)
        raise RoadClosedError("the line broke")


def test_lost_answer_loses_nothing_and_the_acknowledgement_comes_with_the_next_offer(
    world: SyncWorld,
) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        losing = Losing(at.url, TOKEN.format(1), terminal=1, epoch=1)
        with pytest.raises(RoadClosedError):
            sync_once(world.one, losing, now=0)
        losing.close()
        report = sync(world.one, at.url)
    assert (report.uploaded, report.accepted) == (0, 0)
    assert report.acknowledgement == "T001-0001"
    install(world, world.one)
    assert acknowledged(world.one) == 1


class BreakingOff(HttpRoad):
    """The line breaks after so many files."""

    left = 4

    def fetch(self, item: OfferItem) -> bytes:
        if self.left == 0:
            raise RoadClosedError("the line broke")
        self.left -= 1
        return super().fetch(item)


def test_broken_line_leaves_no_timestamp_and_what_came_is_kept(world: SyncWorld) -> None:
    with world.serving() as at:
        breaking = BreakingOff(at.url, TOKEN.format(1), terminal=1, epoch=1)
        with pytest.raises(RoadClosedError):
            sync_once(world.one, breaking, now=0)
        breaking.close()
        came = [p for p in world.one.in_box.rglob("*") if p.is_file()]
        assert len(came) == 4
        assert all("targets" in p.parts for p in came)
        assert install(world, world.one).problem is None
        stamps = {p: p.stat().st_mtime_ns for p in came}
        sync(world.one, at.url)
        assert {p: p.stat().st_mtime_ns for p in came} == stamps
    assert install(world, world.one).ledger == 1


class BusyProvince(HttpRoad):
    """The province publishes between its offer and every single fetch."""

    world: SyncWorld

    def fetch(self, item: OfferItem) -> bytes:
        self.world.province.block(self.world.homes_1[0], 1, "lost")
        return super().fetch(item)


def test_province_that_publishes_all_the_time_is_still_caught_up_with(world: SyncWorld) -> None:
    with (
        world.serving() as at,
        closing(BusyProvince(at.url, TOKEN.format(1), terminal=1, epoch=1)) as road,
    ):
        road.world = world
        report = sync_once(world.one, road, now=0)
    assert report.ledger_version == 1
    assert world.province_folder.repository.versions("snapshot")[-1] > 10
    installed = install(world, world.one)
    assert (installed.problem, installed.ledger) == (None, 1)


def test_publication_forgotten_by_a_restart_is_asked_for_again(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_agent.province.province.TIMESTAMPS_KEPT", 0)
    fetched: list[str] = []

    class OncePublishing(HttpRoad):
        def fetch(self, item: OfferItem) -> bytes:
            if not fetched:
                world.province.block(world.homes_1[0], 1, "lost")
            fetched.append(item.path)
            return super().fetch(item)

    with (
        world.serving() as at,
        closing(OncePublishing(at.url, TOKEN.format(1), terminal=1, epoch=1)) as road,
    ):
        report = sync_once(world.one, road, now=0)
    assert report.ledger_version == 2
    assert fetched.count("metadata/timestamp.json") == 2
    assert install(world, world.one).ledger == 2


def put_back(folder: TerminalFolder) -> None:
    """An older copy of the journal (here: an empty one) is put back."""
    for file in folder.root.glob("journal.db*"):
        file.unlink()
    key = folder.signer().public
    identity = Identity(folder.config.ordinal, folder.config.epoch, key)
    create_journal(folder.journal, identity).close()


def put_whole_disk_back(folder: TerminalFolder) -> None:
    """The copy is older than the province's word, too: the machine cannot know."""
    put_back(folder)
    shutil.rmtree(folder.in_box / "acknowledgements")


def test_journal_shorter_than_the_province_holds_is_a_fork_that_changes_nothing(
    world: SyncWorld,
) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        put_back(world.one)
        with pytest.raises(ForkError, match="older copy"):
            sync(world.one, at.url)
        assert world.province.head(1, 1).seq == 1


def test_other_history_is_a_fork_that_changes_nothing_and_ends_service(
    world: SyncWorld,
) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        put_whole_disk_back(world.one)
        world.record(world.one, Opened("cerita lain"))
        world.record(world.one, Opened("dan seterusnya"))
        world.take(world.two, world.homes_1[1])
        sync(world.two, at.url)
        held = world.province.head(1, 1)
        with pytest.raises(ForkError, match="another history"):
            sync(world.one, at.url)
        assert world.province.head(1, 1) == held
    assert (world.one.in_box / "metadata" / "timestamp.json").exists()
    with pytest.raises(RolledBackError):  # the province's word came along: no more service here
        install(world, world.one)
    # What came by the same road is installed all the same: the machine knows what was given.
    assert installed_version(world.one) == 3
    assert taken(world.one, world.homes_1[1]) == 1


def test_shut_out_terminal_is_told_at_the_next_contact(world: SyncWorld) -> None:
    world.terminals[0] = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.province.release(world.sign_release())
    with world.serving() as at, pytest.raises(RefusedThereError, match="shut out"):
        sync(world.one, at.url)


def test_two_runs_at_once_do_not_send_twice(world: SyncWorld) -> None:
    inside, leave = threading.Event(), threading.Event()

    class Slow(HttpRoad):
        def offer(self) -> list[OfferItem]:
            inside.set()
            leave.wait(10)
            return super().offer()

    with world.serving() as at:
        slow = Slow(at.url, TOKEN.format(1), terminal=1, epoch=1)
        running = threading.Thread(target=sync_once, args=(world.one, slow), kwargs={"now": 0})
        running.start()
        assert inside.wait(10)
        with pytest.raises(BusyError, match="under way"):
            sync(world.one, at.url)
        leave.set()
        running.join(20)
        slow.close()


def test_both_counters_at_once_are_both_taken(world: SyncWorld) -> None:
    for number in range(20):
        world.take(world.one, world.homes_1[number % 3], programme=1 + number % 2)
        world.take(world.two, world.homes_2[number % 2], programme=1 + number % 2)
    reports: dict[Path, Report] = {}
    with world.serving() as at:
        threads = [
            threading.Thread(target=lambda f=f: reports.__setitem__(f.root, sync(f, at.url)))
            for f in (world.one, world.two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [r.accepted for r in reports.values()] == [20, 20]
    assert len(world.province.redemptions()) == 40


def test_restarted_province_goes_on(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
    world.take(world.one, world.homes_1[1])
    world.province.close()
    world.province = world.reopened()
    with world.serving() as at:
        report = sync(world.one, at.url)
    assert (report.uploaded, report.accepted, report.acknowledgement) == (1, 1, "T001-0002")


def test_restored_province_is_sent_what_it_lost(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
    install(world, world.one)
    world.province.close()
    for file in world.province_folder.root.glob("province.db*"):
        file.unlink()
    world.province = world.reopened()
    world.take(world.one, world.homes_1[1])
    with world.serving() as at:
        report = sync(world.one, at.url)
    assert (report.uploaded, report.accepted) == (2, 2)
    assert len(world.province.redemptions()) == 2


def test_half_of_a_write_that_power_cut_off_leaves_the_in_box_in_time(world: SyncWorld) -> None:
    half = world.one.in_box / "targets" / "rights" / "629901" / ".writing-abc123"
    half.parent.mkdir(parents=True)
    half.write_bytes(bytes(1_000))
    os.utime(half, (1_000, 1_000))
    with world.serving() as at:
        sync(world.one, at.url, now=1_000 + SUPERSEDED_SECONDS)
        assert half.exists(), "whoever writes it may be writing still"
        sync(world.one, at.url, now=1_001 + SUPERSEDED_SECONDS)
    assert not half.exists()


def test_long_superseded_files_leave_the_in_box_and_others_stay(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    stranger = world.one.in_box / "notes.txt"
    with world.serving() as at:
        sync(world.one, at.url)
        stranger.write_text("not ours")
        old = sorted(p.name for p in (world.one.in_box / "metadata").iterdir())
        for path in world.one.in_box.rglob("*.json"):
            os.utime(path, (0, 0))
        world.take(world.one, world.homes_1[1])
        sync(world.one, at.url, now=SUPERSEDED_SECONDS + 1)
    kept = {p.name for p in (world.one.in_box / "metadata").iterdir()}
    assert "2.snapshot.json" in old
    assert "2.snapshot.json" not in kept
    assert {"1.root.json", "3.snapshot.json", "timestamp.json"} <= kept
    assert stranger.exists()
    assert install(world, world.one).ledger == 3
