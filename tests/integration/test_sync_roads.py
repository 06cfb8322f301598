"""From journal to province and back, by network and by hand, with everything that goes wrong."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ledger.element import Right
from ledger.entry import Opened
from ledger.folder import TerminalFolder
from ledger.install import Installed, take_in_box
from ledger.journal import Identity, create_journal, open_journal
from sync_agent.agent import Report, sync_once
from sync_agent.bringing import SUPERSEDED_SECONDS
from sync_agent.errors import BusyError, ForkError, RefusedThereError, RoadClosedError, StickError
from sync_agent.http_road import HttpRoad
from sync_agent.messages import Batch, OfferItem, Taken
from sync_agent.province.sticks import once_with
from sync_agent.stick import Stick
from tests.sync_world import TOKEN, SyncWorld, batch_of, small_world, sync

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    path = tmp_path / "stick"
    path.mkdir()
    return path


def install(world: SyncWorld, folder: TerminalFolder) -> Installed:
    """What the terminal's next act does with the in-box."""
    journal = open_journal(folder.journal)
    try:
        return take_in_box(folder, journal, world.clock.read())
    finally:
        journal.close()


def taken(folder: TerminalFolder, household: bytes) -> int:
    journal = open_journal(folder.journal, reading=True)
    try:
        return journal.known().taken(Right(household, 0, 1, 1)).total
    finally:
        journal.close()


def acknowledged(folder: TerminalFolder) -> int:
    journal = open_journal(folder.journal, reading=True)
    try:
        said = journal.acknowledged()
        return said.seq if said else 0
    finally:
        journal.close()


# --- by network ---


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


def test_journal_shorter_than_the_province_holds_is_a_fork_and_sends_nothing(
    world: SyncWorld,
) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        put_back(world.one)
        with pytest.raises(ForkError, match="older copy"):
            sync(world.one, at.url)
        assert world.province.head(1, 1).seq == 1


def test_other_history_is_a_fork_and_sends_nothing_but_brings_the_ledger(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        put_back(world.one)
        world.record(world.one, Opened("cerita lain"))
        world.record(world.one, Opened("dan seterusnya"))
        world.take(world.two, world.homes_1[1])
        sync(world.two, at.url)
        held = world.province.head(1, 1)
        with pytest.raises(ForkError, match="another history"):
            sync(world.one, at.url)
        assert world.province.head(1, 1) == held
    world.one.rights.unlink(missing_ok=True)
    assert install(world, world.one).problem is None
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


# --- by hand ---


def carry(world: SyncWorld, stick: Path):
    """The stick is at the province once."""
    return once_with(world.province, Stick(stick))


def test_stick_goes_in_once_and_does_both(world: SyncWorld, stick: Path) -> None:
    household = world.homes_1[0]
    carry(world, stick)
    world.take(world.one, household)
    first = sync(world.one, stick)
    assert (first.uploaded, first.accepted, first.acknowledgement) == (1, 0, None)
    assert first.ledger_version == 1
    report = carry(world, stick)
    assert (report.batches, report.accepted, report.terminals, report.refused) == (1, 1, 2, ())
    second = sync(world.one, stick)
    assert (second.acknowledgement, second.usage_new) == ("T001-0001", 1)
    sync(world.two, stick)
    for folder in (world.one, world.two):
        assert install(world, folder).problem is None
        assert taken(folder, household) == 1
    assert acknowledged(world.one) == 1


def test_acknowledged_entries_are_not_laid_down_again(world: SyncWorld, stick: Path) -> None:
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    carry(world, stick)
    sync(world.one, stick)
    install(world, world.one)
    world.take(world.one, world.homes_1[1])
    assert sync(world.one, stick).uploaded == 1
    assert (stick / "from-terminals" / "1-1" / "2-2.batch").exists()


def test_batch_that_covers_another_takes_its_place(world: SyncWorld, stick: Path) -> None:
    for count in (1, 2, 3):
        world.take(world.one, world.homes_1[count - 1])
        assert sync(world.one, stick).uploaded == count
    assert [p.name for p in (stick / "from-terminals" / "1-1").iterdir()] == ["1-3.batch"]


def test_stick_carried_a_hundred_times_changes_nothing_more(world: SyncWorld, stick: Path) -> None:
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    carry(world, stick)
    version = world.province_folder.repository.versions("snapshot")
    for _ in range(100):
        assert carry(world, stick).accepted == 0
    assert world.province_folder.repository.versions("snapshot") == version


def test_stick_and_network_may_both_carry_the_same(world: SyncWorld, stick: Path) -> None:
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    with world.serving() as at:
        assert sync(world.one, at.url).accepted == 1
    assert carry(world, stick).accepted == 0
    assert len(world.province.redemptions()) == 1


def test_empty_stick_brings_nothing_and_harms_nothing(world: SyncWorld, stick: Path) -> None:
    report = sync(world.one, stick)
    assert (report.uploaded, report.ledger_version, report.usage_new) == (0, None, 0)


def test_hostile_stick_at_the_province_is_refused_file_by_file(
    world: SyncWorld, stick: Path
) -> None:
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    own = stick / "from-terminals" / "1-1"
    good = batch_of(world.one)
    secret = world.province_folder.root / "keys" / "online.pem"
    (own / "2-2.batch").symlink_to(secret)
    os.mkfifo(own / "3-3.batch")
    (own / "4-4.batch").write_bytes(b"\0" * 3_000_000)
    (own / "5-5.batch").write_bytes(good[:-1])
    (own / "6-6.batch").mkdir()
    (own / "notes.txt").write_text("hello")
    (stick / "from-terminals" / "9-1").mkdir()
    (stick / "from-terminals" / "9-1" / "1-1.batch").write_bytes(good)
    (stick / "from-terminals" / "../x".replace("/", "_")).mkdir()
    report = carry(world, stick)
    assert report.accepted == 1
    assert {r.file.rpartition("/")[2]: r.error for r in report.refused} == {
        "2-2.batch": "not_a_file",
        "3-3.batch": "not_a_file",
        "4-4.batch": "not_a_file",
        "5-5.batch": "malformed",
        "6-6.batch": "not_a_file",
    }
    assert report.terminals == 2


def test_hostile_stick_at_a_terminal_changes_nothing(world: SyncWorld, stick: Path) -> None:
    carry(world, stick)
    own = stick / "to-terminals" / "1-1"
    offer = (own / "offer.json").read_bytes()
    hostile = [
        b"",
        b"{}",
        offer[:-1],
        offer.replace(b"metadata/timestamp.json", b"../keys/terminal.pem"),
        offer.replace(b"metadata/", b"/metadata"),
    ]
    for data in hostile:
        (own / "offer.json").write_bytes(data)
        with pytest.raises(StickError):
            sync(world.one, stick)
    (own / "offer.json").unlink()
    (own / "offer.json").symlink_to(world.one.signing_key)
    with pytest.raises(StickError):
        sync(world.one, stick)
    assert not [p for p in world.one.in_box.rglob("*") if p.is_file()]


def test_changed_file_on_a_stick_never_reaches_the_in_box(world: SyncWorld, stick: Path) -> None:
    carry(world, stick)
    for file in (stick / "to-terminals" / "files").iterdir():
        file.write_bytes(bytes(reversed(file.read_bytes())))
    with pytest.raises(Exception, match="never what was offered"):
        sync(world.one, stick)
    assert not [p for p in world.one.in_box.rglob("*") if p.is_file()]


def test_missing_file_on_a_stick_is_told(world: SyncWorld, stick: Path) -> None:
    carry(world, stick)
    next((stick / "to-terminals" / "files").iterdir()).unlink()
    with pytest.raises(StickError, match="does not hold it"):
        sync(world.one, stick)
    assert not (world.one.in_box / "metadata" / "timestamp.json").exists()


def test_files_no_offer_names_any_more_leave_the_stick(world: SyncWorld, stick: Path) -> None:
    carry(world, stick)
    before = {p.name for p in (stick / "to-terminals" / "files").iterdir()}
    world.province.block(world.homes_1[0], 1, "lost")
    carry(world, stick)
    after = {p.name for p in (stick / "to-terminals" / "files").iterdir()}
    assert before - after
    assert len(after) == len(before)


def test_hostile_agent_that_writes_anything_into_the_in_box_changes_no_right(
    world: SyncWorld, stick: Path
) -> None:
    carry(world, stick)
    sync(world.one, stick)
    assert install(world, world.one).ledger == 1
    rights = world.one.rights.read_bytes()
    for path in sorted(world.one.in_box.rglob("*")):
        if path.is_file():
            good = path.read_bytes()
            for bad in (b"", good[:-1], good + b" ", bytes(reversed(good))):
                path.write_bytes(bad)
                install(world, world.one)
                assert world.one.rights.read_bytes() == rights
            path.write_bytes(good)
