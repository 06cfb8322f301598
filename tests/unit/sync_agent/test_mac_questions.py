"""What the issuer is asked follows from the journals alone, and is what a chip signed."""

from pathlib import Path

import pytest

from card_codec.chip.record import RecordKind
from ledger.entry import Commit, Observed, Void
from ledger.mac_verdict import AskedCommit, Finding, read_asked
from sync_agent.province.mac_questions import write_questions
from tests.issuer_check import UID, begin, check, mac_of
from tests.sync_world import SyncWorld, batch_of


def value(record: bytes, counter: int, *, before: tuple[int, int]) -> bytes:
    return mac_of(record, counter, before=before)


def taken(world: SyncWorld, household: bytes, *, counter: int) -> bytes:
    return begin(world, world.one, household, counter=counter)


def asked(world: SyncWorld, folder: Path) -> list[AskedCommit]:
    world.province.take(batch_of(world.one), road="http")
    files = write_questions(world.province._store, folder)
    return [commit for path in files for commit in read_asked(path.read_bytes())]


def test_commits_and_voids_of_a_chip_are_asked_for_and_found_valid(
    world: SyncWorld, tmp_path: Path
) -> None:
    family = world.homes_1[0]
    record = taken(world, family, counter=1)
    seq = int.from_bytes(record[4:7], "big")
    world.record(world.one, Commit(seq, 2, value(record, 2, before=(0, 0))))
    void = world.record(world.one, Void(seq, "wrong card", "AB"))
    undone = bytearray(record)
    undone[0] = 0x10 | RecordKind.VOID
    signed = value(bytes(undone), 3, before=(1, 1))
    world.record(world.one, Commit(int(void[-4:]), 3, signed))
    commits = asked(world, tmp_path)
    assert [(one.uid, one.counter, one.record, one.before) for one in commits] == [
        (UID, 2, record, 0),
        (UID, 3, bytes(undone), None),
    ]
    found = check(commits, {UID: family})
    assert [one.finding for one in found] == [Finding.VALID, Finding.VALID]


def test_lost_value_is_found_in_what_another_terminal_saw(world: SyncWorld, tmp_path: Path) -> None:
    family = world.homes_1[0]
    record = taken(world, family, counter=1)
    world.record(world.one, Commit(int.from_bytes(record[4:7], "big"), 2, b""))
    assert [one.value for one in asked(world, tmp_path)] == [b""]
    signed = value(record, 2, before=(0, 0))
    world.record(world.one, Observed(family, 1, UID, 2, signed, record))
    commits = asked(world, tmp_path)
    assert sorted(one.value for one in commits) == [b"", signed]
    found = check(commits, {UID: family})
    assert {one.finding for one in found} == {Finding.LOST, Finding.VALID}


def test_pending_that_was_never_committed_is_not_asked_for(
    world: SyncWorld, tmp_path: Path
) -> None:
    taken(world, world.homes_1[0], counter=1)
    assert asked(world, tmp_path) == []
    assert list(tmp_path.glob("asked-*")) == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_many_commits_go_into_several_files(world: SyncWorld, tmp_path: Path, most: int) -> None:
    for counter in range(1, 4):
        record = taken(world, world.homes_1[0], counter=counter)
        seq = int.from_bytes(record[4:7], "big")
        world.record(world.one, Commit(seq, counter + 1, bytes(8)))
    world.province.take(batch_of(world.one), road="http")
    files = write_questions(world.province._store, tmp_path, most=most)
    sizes = [len(read_asked(path.read_bytes())) for path in files]
    assert (sum(sizes), max(sizes)) == (3, min(most, 3))
