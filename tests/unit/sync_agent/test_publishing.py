"""What the online key signs: usage without gaps, bits only set, a time that stays fresh."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from tuf.api.metadata import Targets, Timestamp

from card_codec.status import StatusList
from ledger.element import Right
from ledger.entry import Opened
from ledger.install import take_in_box
from ledger.journal import open_journal
from ledger.policy import DAY
from ledger.repository import online_role, signed_time
from ledger.rights import Rights
from ledger.rights_file import more_path, read_more, read_status, status_path
from ledger.usage_file import newest_segment, read_usage, usage_path
from sync_agent.errors import ProvinceError
from sync_agent.province import publishing
from sync_agent.province.publishing import TIME_IS_OLD
from tests.sync_world import SyncWorld, batch_of
from tests.world import KEC_1, KEC_2


def segments(world: SyncWorld, kecamatan: str) -> dict[str, list[str]]:
    """Receipt numbers by segment, as published."""
    repository = world.province_folder.repository
    signed = repository.load(online_role(kecamatan), Targets)
    number, found = newest_segment(signed.targets, kecamatan), {}
    if not number:
        return {}
    data = repository.target_bytes(signed, usage_path(kecamatan, number))
    while True:
        file, elements = read_usage(data)
        assert (file.kecamatan, file.number) == (kecamatan, number)
        found[usage_path(kecamatan, number)] = [e.id.number() for e in elements]
        if not file.prev:
            return dict(reversed(found.items()))
        number -= 1
        path = repository.targets / f"usage/{kecamatan}/{file.prev.hex()}.{number}.cbor"
        data = path.read_bytes()
        assert hashlib.sha256(data).digest() == file.prev


def bits(world: SyncWorld, kecamatan: str) -> StatusList:
    repository = world.province_folder.repository
    signed = repository.load(online_role(kecamatan), Targets)
    file = read_status(repository.target_bytes(signed, status_path(kecamatan)))
    listed = StatusList.decode(file.bits)
    if more_path(kecamatan) not in signed.targets:
        return listed
    since = read_more(repository.target_bytes(signed, more_path(kecamatan)))
    return listed.union(StatusList.from_indices(max(since) + 1, since))


def install(world: SyncWorld, folder) -> Rights:
    shutil.copytree(world.province_folder.repository.folder, folder.in_box, dirs_exist_ok=True)
    journal = open_journal(folder.journal)
    installed = take_in_box(folder, journal, world.clock.read())
    journal.close()
    assert installed.problem is None
    return Rights(folder.rights)


def test_each_batch_with_redemptions_makes_the_next_segment(world: SyncWorld) -> None:
    for number, household in enumerate(world.homes_1):
        world.take(world.one, household)
        world.province.take(batch_of(world.one, start=number + 1), road="http")
    assert segments(world, KEC_1) == {usage_path(KEC_1, n): [f"T001-{n:04d}"] for n in (1, 2, 3)}
    assert segments(world, KEC_2) == {}


def test_redemption_rides_in_the_feed_of_its_households_kecamatan(world: SyncWorld) -> None:
    world.take(world.one, world.homes_2[0])
    world.take(world.one, world.homes_1[0])
    world.province.take(batch_of(world.one), road="http")
    assert list(segments(world, KEC_2).values()) == [["T001-0001"]]
    assert list(segments(world, KEC_1).values()) == [["T001-0002"]]


def test_redemption_of_an_unlisted_household_rides_in_its_terminals_feed(world: SyncWorld) -> None:
    world.take(world.two, b"unlisted")
    world.province.take(batch_of(world.two), road="http")
    assert list(segments(world, KEC_2).values()) == [["T002-0001"]]


def test_batch_without_redemptions_publishes_nothing(world: SyncWorld) -> None:
    before = world.province_folder.repository.versions("snapshot")
    world.record(world.one, Opened("Balai"))
    world.province.take(batch_of(world.one), road="http")
    assert world.province_folder.repository.versions("snapshot") == before


def test_repeated_batch_publishes_nothing_twice(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    for _ in range(3):
        world.province.take(batch_of(world.one), road="http")
    assert list(segments(world, KEC_1).values()) == [["T001-0001"]]


def test_publication_that_failed_is_made_up_by_the_same_batch(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take(world.one, world.homes_1[0])

    def fail(*_arguments: object, **_named: object) -> None:
        raise ProvinceError("the disk is full")

    monkeypatch.setattr("ledger.repository.Repository.publish", fail)
    with pytest.raises(ProvinceError, match="disk is full"):
        world.province.take(batch_of(world.one), road="http")
    monkeypatch.undo()
    assert world.province.take(batch_of(world.one), road="http").accepted == 0
    carried = [n for numbers in segments(world, KEC_1).values() for n in numbers]
    assert set(carried) == {"T001-0001"}


def test_publication_cut_off_by_a_crash_is_made_up_at_the_next_start(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take(world.one, world.homes_1[0])

    def crash(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sync_agent.province.province.publish_usage", crash)
    with pytest.raises(KeyboardInterrupt):
        world.province.take(batch_of(world.one), road="http")
    monkeypatch.undo()
    world.province.close()
    world.province = world.reopened()
    assert segments(world, KEC_1) == {}
    assert world.province.publish() == 1
    assert world.province.publish() == 0
    assert list(segments(world, KEC_1).values()) == [["T001-0001"]]


def test_element_that_rides_twice_is_one_to_a_terminal(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take(world.one, world.homes_1[0])

    def forget(*_arguments: object) -> None:
        raise ProvinceError("the store failed after the segment was signed")

    monkeypatch.setattr(publishing, "mark_published", forget)
    with pytest.raises(ProvinceError):
        world.province.take(batch_of(world.one), road="http")
    monkeypatch.undo()
    world.province.publish()
    assert len(segments(world, KEC_1)) == 2
    install(world, world.two).close()
    journal = open_journal(world.two.journal)
    known = journal.known()
    assert len(known.segments(KEC_1)) == 2
    assert known.taken(Right(world.homes_1[0], 0, 1, 1)).total == 1
    journal.close()


def test_blocked_card_is_blocked_at_a_terminal_and_its_next_issue_is_not(world: SyncWorld) -> None:
    household = world.homes_1[1]
    assert world.province.block(household, 1, "lost") is True
    assert world.province.block(household, 1, "lost") is False
    rights = install(world, world.one)
    listed, other = rights.household(household), rights.household(world.homes_1[0])
    assert listed is not None
    assert other is not None
    assert rights.blocked(listed, 1)
    assert not rights.blocked(listed, 2)
    assert not rights.blocked(other, 1)
    rights.close()


def test_block_of_a_later_issue_makes_the_list_longer(world: SyncWorld) -> None:
    world.province.block(world.homes_1[1], 3, "stolen")
    rights = install(world, world.one)
    listed = rights.household(world.homes_1[1])
    assert listed is not None
    assert [rights.blocked(listed, n) for n in (1, 2, 3, 4)] == [False, False, True, False]
    rights.close()


def test_block_outlives_a_new_base(world: SyncWorld) -> None:
    household = world.homes_1[1]
    world.province.block(household, 1, "lost")
    for number in range(5):
        world.household(f"newcomer {number}")
    world.province.release(world.sign_release())
    rights = install(world, world.one)
    listed = {id: rights.household(id) for id in world.rows[KEC_1]}
    blocked = {id for id, one in listed.items() if one and rights.blocked(one, 1)}
    assert blocked == {household}
    rights.close()


def test_published_bits_stay_though_the_store_has_forgotten_them(world: SyncWorld) -> None:
    world.province.block(world.homes_1[1], 1, "lost")
    before = bits(world, KEC_1)
    world.province.close()
    for file in world.province_folder.root.glob("province.db*"):
        file.unlink()
    world.province = world.reopened()
    world.province.block(world.homes_1[2], 1, "lost")
    after = bits(world, KEC_1)
    assert after.union(before) == after
    assert after != before


def test_block_the_kecamatan_takes_off_goes_and_can_be_set_again(world: SyncWorld) -> None:
    card = (world.homes_1[1], 1)
    world.province.block(*card, "lost")
    at = sorted(world.homes_1).index(card[0])
    world.change(cleared={card: 1})
    world.province.release(world.sign_release())
    assert not bits(world, KEC_1).is_set(at)
    world.province.release(world.release_folder)
    assert not bits(world, KEC_1).is_set(at)
    assert world.province.block(*card, "lost again") is True
    assert bits(world, KEC_1).is_set(at)
    world.household("moved here")  # a new base that holds the changes up to here
    world.folded[KEC_1] = 1
    world.province.release(world.sign_release())
    rights = install(world, world.one)
    household = rights.household(card[0])
    assert household is not None
    assert rights.blocked(household, 1)
    rights.close()


def test_release_that_changes_no_block_costs_no_new_version(world: SyncWorld) -> None:
    repository = world.province_folder.repository
    roles = [online_role(kecamatan) for kecamatan in (KEC_1, KEC_2)]
    before = [repository.versions(role) for role in roles]
    world.change(replaced={world.homes_1[0]: 2})
    world.province.release(world.sign_release())
    assert [repository.versions(role) for role in roles] == before
    world.clock.pass_time(221 * DAY)  # 179 days before its end
    world.province.release(world.sign_release())
    assert [repository.versions(role)[-1] for role in roles] == [2, 2]


def test_role_whose_signature_was_spoilt_is_signed_anew(world: SyncWorld) -> None:
    repository = world.province_folder.repository
    path = repository.metadata / f"1.{online_role(KEC_1)}.json"
    read = json.loads(path.read_text())
    read["signatures"][0]["sig"] = "00" * 64
    path.write_text(json.dumps(read))
    world.province.release(world.sign_release())
    assert repository.versions(online_role(KEC_1)) == [1, 2]


def test_block_of_an_unknown_household_is_refused_and_publishes_nothing(world: SyncWorld) -> None:
    before = world.province_folder.repository.versions("snapshot")
    with pytest.raises(ProvinceError, match="no household"):
        world.province.block(b"unlisted", 1, "lost")
    assert world.province_folder.repository.versions("snapshot") == before


def test_time_is_signed_anew_when_an_offer_finds_it_old(world: SyncWorld) -> None:
    repository = world.province_folder.repository
    first = repository.load("timestamp", Timestamp)
    terminal = world.terminals[0]
    world.clock.pass_time(TIME_IS_OLD - 1)
    world.province.offer(terminal)
    assert repository.load("timestamp", Timestamp).version == first.version
    world.clock.pass_time(1)
    world.province.offer(terminal)
    fresh = repository.load("timestamp", Timestamp)
    assert (fresh.version, signed_time(fresh)) == (first.version + 1, world.clock.wall)
    assert fresh.snapshot_meta.version == first.snapshot_meta.version
    install(world, world.one).close()


def test_nothing_is_put_back_where_no_release_was_ever_taken(tmp_path: Path) -> None:
    world = SyncWorld(tmp_path)
    world.prepare_province()
    with pytest.raises(ProvinceError, match="no release was ever taken here"):
        world.province.restored()
    assert not world.province_folder.repository.versions("timestamp")
    world.province.close()
