"""From journal to province and back by hand: sticks that are pulled early, damaged or hostile."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.keys import PrivateKey
from ledger.folder import TerminalFolder
from ledger.sealing import seal_to_province
from sync_agent.agent import sync_once
from sync_agent.errors import NotOursError, StickError
from sync_agent.province.sticks import StickReport, once_with
from sync_agent.stick import Stick
from sync_agent.stick_road import StickRoad
from tests.sync_world import SyncWorld, acknowledged, batch_of, install, small_world, sync, taken

pytestmark = [pytest.mark.integration, pytest.mark.slow]


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


@pytest.fixture
def served(world: SyncWorld, tmp_path: Path) -> SyncWorld:
    """The same, and terminal 1 has a ledger: it knows to whom entries are sealed."""
    first = tmp_path / "first"
    first.mkdir()
    carry(world, first)
    sync(world.one, first)
    assert install(world, world.one).ledger == 1
    return world


def carry(world: SyncWorld, stick: Path) -> StickReport:
    """The stick is at the province once."""
    return once_with(world.province, Stick(stick))


def test_stick_goes_in_once_and_does_both(served: SyncWorld, stick: Path) -> None:
    world = served
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


def test_acknowledged_entries_are_not_laid_down_again(served: SyncWorld, stick: Path) -> None:
    world = served
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    carry(world, stick)
    sync(world.one, stick)
    install(world, world.one)
    world.take(world.one, world.homes_1[1])
    assert sync(world.one, stick).uploaded == 1
    assert (stick / "from-terminals" / "1-1" / "2-2.bundle").exists()


def test_batch_that_covers_another_takes_its_place(served: SyncWorld, stick: Path) -> None:
    world = served
    for count in (1, 2, 3):
        world.take(world.one, world.homes_1[count - 1])
        assert sync(world.one, stick).uploaded == count
    assert [p.name for p in (stick / "from-terminals" / "1-1").iterdir()] == ["1-3.bundle"]


def test_stick_carried_a_hundred_times_changes_nothing_more(served: SyncWorld, stick: Path) -> None:
    world = served
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    carry(world, stick)
    version = world.province_folder.repository.versions("snapshot")
    for _ in range(100):
        assert carry(world, stick).accepted == 0
    assert world.province_folder.repository.versions("snapshot") == version


def test_restored_province_asks_again_by_stick(served: SyncWorld, stick: Path) -> None:
    world = served
    for household in world.homes_1[:2]:
        world.take(world.one, household)
        sync(world.one, stick)
        carry(world, stick)
        sync(world.one, stick)
        install(world, world.one)
    assert acknowledged(world.one) == 2
    world.province.close()
    for file in world.province_folder.root.glob("province.db*"):
        file.unlink()
    world.province = world.reopened()
    for batch in (stick / "from-terminals" / "1-1").iterdir():
        batch.unlink()
    world.take(world.one, world.homes_1[2])
    assert sync(world.one, stick).uploaded == 1
    (refused,) = carry(world, stick).refused
    assert refused.error == "gap"
    assert sync(world.one, stick).uploaded == 3
    carried = carry(world, stick)
    assert (carried.accepted, len(world.province.redemptions())) == (3, 3)


def test_head_on_a_hostile_stick_can_only_ask_for_more(served: SyncWorld, stick: Path) -> None:
    world = served
    for household in world.homes_1[:2]:
        world.take(world.one, household)
    head = stick / "to-terminals" / "1-1" / "head.json"
    head.parent.mkdir(parents=True)
    no_head = "00" * 32
    for said in (f'{{"seq": {n}, "head": "{no_head}"}}' for n in (2, 99, -1)):
        head.write_text(said)
        assert sync(world.one, stick).uploaded == 2
    head.unlink()
    head.symlink_to(world.one.signing_key)
    with pytest.raises(StickError):
        sync(world.one, stick)


def test_stick_and_network_may_both_carry_the_same(served: SyncWorld, stick: Path) -> None:
    world = served
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    with world.serving() as at:
        assert sync(world.one, at.url).accepted == 1
    assert carry(world, stick).accepted == 0
    assert len(world.province.redemptions()) == 1


def test_stick_tells_nothing_to_whoever_carries_it(served: SyncWorld, stick: Path) -> None:
    household = served.homes_1[0]
    served.take(served.one, household)
    plain = batch_of(served.one)
    sync(served.one, stick)
    (bundle,) = (stick / "from-terminals" / "1-1").iterdir()
    sealed = bundle.read_bytes()
    assert household in plain
    assert household not in sealed
    assert plain not in sealed
    assert sealed.startswith(b"age-encryption.org/v1")


def test_code_of_what_was_laid_is_that_of_what_was_taken(served: SyncWorld, stick: Path) -> None:
    for household in served.homes_1:
        served.take(served.one, household)
    laid = sync(served.one, stick)
    assert (laid.uploaded, laid.handed_over) == (3, "T001-0003")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", laid.code or "")
    (head,) = carry(served, stick).heads
    assert (head.number, head.code) == (laid.handed_over, laid.code)
    with served.serving() as at:
        assert sync(served.one, at.url).code == laid.code
        served.take(served.one, served.homes_1[0], programme=2)
        assert sync(served.one, at.url).code != laid.code


def test_terminal_without_a_ledger_takes_it_before_it_lays_anything(
    world: SyncWorld, stick: Path
) -> None:
    world.take(world.one, world.homes_1[0])
    carry(world, stick)
    first = sync(world.one, stick)
    assert (first.uploaded, first.code, first.ledger_version) == (0, None, 1)
    assert not (stick / "from-terminals").exists()
    install(world, world.one)
    assert sync(world.one, stick).uploaded == 1
    assert carry(world, stick).accepted == 1


def test_bundle_sealed_to_another_province_is_refused_and_lies_on(
    served: SyncWorld, stick: Path
) -> None:
    served.take(served.one, served.homes_1[0])
    road = StickRoad(Stick(stick), terminal=1, epoch=1, seal_to=PrivateKey.generate().public)
    assert sync_once(served.one, road, now=0).uploaded == 1
    (refused,) = carry(served, stick).refused
    assert refused.error == "not_sealed_to_us"
    assert (stick / refused.file).exists()
    assert served.province.head(1, 1).seq == 0


def test_empty_stick_brings_nothing_and_harms_nothing(world: SyncWorld, stick: Path) -> None:
    report = sync(world.one, stick)
    assert (report.uploaded, report.ledger_version, report.usage_new) == (0, None, 0)
    assert report.waits == "no_ledger"


def test_hostile_stick_at_the_province_is_refused_file_by_file(
    served: SyncWorld, stick: Path
) -> None:
    world = served
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    own = stick / "from-terminals" / "1-1"
    good = batch_of(world.one)
    secret = world.province_folder.root / "keys" / "online.pem"
    (own / "2-2.bundle").symlink_to(secret)
    os.mkfifo(own / "3-3.bundle")
    (own / "4-4.bundle").write_bytes(b"\0" * 3_000_000)
    (own / "5-5.bundle").write_bytes(good[:-1])
    (own / "6-6.bundle").mkdir()
    (own / "notes.txt").write_text("hello")
    (stick / "from-terminals" / "9-1").mkdir()
    (stick / "from-terminals" / "9-1" / "1-1.bundle").write_bytes((own / "1-1.bundle").read_bytes())
    sealed = seal_to_province(b"not a batch", world.log.public)
    (own / "7-7.bundle").write_bytes(sealed)
    (stick / "from-terminals" / "../x".replace("/", "_")).mkdir()
    report = carry(world, stick)
    assert report.accepted == 1
    assert {r.file.rpartition("/")[2]: r.error for r in report.refused} == {
        "2-2.bundle": "not_a_file",
        "3-3.bundle": "not_a_file",
        "4-4.bundle": "not_a_file",
        "5-5.bundle": "not_sealed_to_us",
        "6-6.bundle": "not_a_file",
        "7-7.bundle": "malformed",
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
    with pytest.raises(NotOursError, match="never what was offered"):
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
    offers = (stick / "to-terminals").glob("*/offer.json")
    named = {item["sha256"] for offer in offers for item in json.loads(offer.read_bytes())}
    assert before - after
    assert after == named


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


def timestamp(folder: TerminalFolder) -> bytes:
    return (folder.in_box / "metadata" / "timestamp.json").read_bytes()


def an_hour_later(world: SyncWorld) -> None:
    world.clock.pass_time(3_700)


def test_old_stick_never_takes_the_place_of_what_is_newer(world: SyncWorld, stick: Path) -> None:
    carry(world, stick)
    an_hour_later(world)
    with world.serving() as at:
        sync(world.one, at.url)
    newer = timestamp(world.one)
    report = sync(world.one, stick)
    assert timestamp(world.one) == newer
    assert report.usage_new == 0
    install(world, world.one)
    os.utime(world.one.in_box / "metadata" / "timestamp.json", (0, 0))
    sync(world.one, stick)
    assert timestamp(world.one) == newer, "the terminal has taken it: it stands however old it is"


def test_old_stick_still_brings_the_acknowledgement(served: SyncWorld, stick: Path) -> None:
    world = served
    world.take(world.one, world.homes_1[0])
    sync(world.one, stick)
    carry(world, stick)
    an_hour_later(world)
    other = stick.parent / "newer"
    other.mkdir()
    carry(world, other)
    (other / "to-terminals" / "1-1" / "offer.json").write_bytes(
        json.dumps(
            [
                item
                for item in json.loads((other / "to-terminals/1-1/offer.json").read_bytes())
                if not item["path"].startswith("acknowledgements")
            ]
        ).encode()
    )
    sync(world.one, other)
    newer = timestamp(world.one)
    install(world, world.one)
    assert acknowledged(world.one) == 0
    sync(world.one, stick)
    install(world, world.one)
    assert (timestamp(world.one), acknowledged(world.one)) == (newer, 1)


def test_timestamp_that_nobody_signed_does_not_keep_true_ones_out(
    world: SyncWorld, stick: Path
) -> None:
    """A hostile stick claims the highest version; the next honest one is heard a day later."""
    carry(world, stick)
    sync(world.one, stick)
    install(world, world.one)
    genuine = timestamp(world.one)
    metadata = json.loads(genuine)
    metadata["signed"]["version"] = 999_999_999
    forged = json.dumps(metadata).encode()
    path = world.one.in_box / "metadata" / "timestamp.json"
    path.write_bytes(forged)
    assert install(world, world.one).problem is not None
    now = int(path.stat().st_mtime)
    sync(world.one, stick, now=now + 60)
    assert timestamp(world.one) == forged
    sync(world.one, stick, now=now + 2 * 86_400)
    assert timestamp(world.one) == genuine
    with world.serving() as at:
        path.write_bytes(forged)
        sync(world.one, at.url)
    assert timestamp(world.one) != forged, "the province itself is always heard"
