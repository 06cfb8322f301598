"""A sealed segment holds what the log holds, and a check finds every other one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from ledger.entry import Basis, Commit, Opened, Pending, Void
from sync_agent.province import segments
from tests.sync_world import SyncWorld, batch_of

ON_BOTH_STORES = True


def some_days(world: SyncWorld) -> None:
    world.record(world.one, Opened("pagi"))
    for household in world.homes_1:
        world.take(world.one, household)
    world.record(world.one, Void(2, "salah", "PW"))
    world.take(world.two, world.homes_2[0])
    for terminal in (world.one, world.two):
        world.province.take(batch_of(terminal), road="stick")


def file_of(world: SyncWorld, number: int) -> Path:
    return world.province_folder.root / "segments" / f"log-{number:06d}.parquet"


def test_segment_holds_every_entry_and_what_a_redemption_says(world: SyncWorld) -> None:
    some_days(world)
    made = world.province.seal_segment()
    assert made is not None
    assert (made.number, made.entries) == (1, 6)
    assert world.province.check_segments() == (1, [])
    rows = parquet.read_table(file_of(world, 1)).to_pylist()
    assert [(r["terminal"], r["seq"]) for r in rows] == [*((1, n) for n in range(1, 6)), (2, 1)]
    assert [r["household"] for r in rows] == [None, *world.homes_1, None, world.homes_2[0]]
    assert [r["voids"] for r in rows] == [None, None, None, None, 2, None]


def test_redemption_by_chip_stands_in_its_segment_with_its_commit(world: SyncWorld) -> None:
    household = world.homes_1[0]
    pending = Pending(household, 1, 0, 1, 1, 1, 0, Basis.HOME, b"\x04" + bytes(6), 7, 0)
    world.record(world.one, pending)
    world.record(world.one, Commit(1, 8, b"tmv-of-8"))
    world.province.take(batch_of(world.one), road="stick")
    assert world.province.seal_segment() is not None
    first, second = parquet.read_table(file_of(world, 1)).to_pylist()
    assert (first["household"], first["quantity"], first["commits"]) == (household, 1, None)
    assert (second["household"], second["commits"]) == (None, 1)
    assert world.province.check_segments() == (1, [])


def test_next_segment_holds_only_what_came_since(world: SyncWorld) -> None:
    some_days(world)
    world.province.seal_segment()
    assert world.province.seal_segment() is None
    world.take(world.one, world.homes_1[0], programme=2)
    world.province.take(batch_of(world.one), road="stick")
    before = file_of(world, 1).read_bytes()
    made = world.province.seal_segment()
    assert made is not None
    assert (made.number, made.entries) == (2, 1)
    assert file_of(world, 1).read_bytes() == before
    assert world.province.check_segments() == (2, [])


def test_large_log_makes_several_segments(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "ENTRIES_MAX", 4)
    some_days(world)
    sizes = []
    while (made := world.province.seal_segment()) is not None:
        sizes.append(made.entries)
    assert sizes == [4, 2]
    assert world.province.check_segments() == (2, [])


def test_changed_or_lost_segment_is_found(world: SyncWorld) -> None:
    some_days(world)
    world.province.seal_segment()
    path = file_of(world, 1)
    good = path.read_bytes()
    for bad in (good[:-1], good + b"\0", good[:100] + bytes([good[100] ^ 1]) + good[101:]):
        path.chmod(0o644)
        path.write_bytes(bad)
        (_, (fault,)) = world.province.check_segments()
        assert "not the file that was sealed" in fault.detail
    path.unlink()
    (_, (fault,)) = world.province.check_segments()
    assert "cannot be read" in fault.detail


def test_segment_of_a_log_that_went_further_is_never_written_over(world: SyncWorld) -> None:
    """The store was put back from a copy that knew of no segment; the folder was not."""
    some_days(world)
    file_of(world, 1).parent.mkdir()
    file_of(world, 1).write_bytes(b"what was accepted after the copy was made")
    assert world.province.seal_segment() is not None
    assert world.province.check_segments() == (1, [])
    (kept,) = file_of(world, 1).parent.glob("former-log-000001-*.parquet")
    assert kept.read_bytes() == b"what was accepted after the copy was made"


def test_segment_whose_writing_was_cut_off_is_written_again(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_days(world)

    def cut(_entries: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(segments, "_hash", cut)  # the file lies there, the store knows nothing yet
        with pytest.raises(KeyboardInterrupt):
            world.province.seal_segment()
    assert file_of(world, 1).exists()
    assert world.province.check_segments() == (0, [])
    made = world.province.seal_segment()
    assert made is not None
    assert (made.number, made.entries) == (1, 6)
    assert world.province.check_segments() == (1, [])
