"""A terminal with two histories, and a province put back from a copy: nothing may be lost."""

import shutil

import pytest
from sqlalchemy import select

from ledger.element import Right
from ledger.folder import TerminalFolder
from ledger.journal import Identity, create_journal, open_journal
from sync_agent import agent
from sync_agent.agent import Report, sync_once
from sync_agent.batch import read_batch
from sync_agent.errors import ForkError
from sync_agent.province import schema
from tests.simulation.road import Network, ProcessRoad
from tests.simulation.witness import entries_of
from tests.sync_world import SyncWorld, install, taken


def by_road(world: SyncWorld, folder: TerminalFolder, *, later: int = 0) -> Report:
    road = ProcessRoad(Network(lambda: world.province), folder)
    return sync_once(folder, road, now=world.clock.wall + later)


def start_anew(folder: TerminalFolder) -> None:
    """As an older image put back does it: the same key and epoch, another history."""
    for file in folder.root.glob("journal.db*"):
        file.unlink()
    identity = Identity(folder.config.ordinal, folder.config.epoch, folder.signer().public)
    create_journal(folder.journal, identity).close()


def kept(world: SyncWorld) -> set[bytes]:
    """Leaves of every entry the province keeps as evidence."""
    with world.province._store.reading() as db:
        rows = db.execute(select(schema.fork.c.batch)).all()
    return {entry.leaf for row in rows for entry in entries_of(read_batch(row.batch))}


def leaves(folder: TerminalFolder) -> set[bytes]:
    journal = open_journal(folder.journal, reading=True)
    found = {entry.leaf for entry in journal.signed_run(1)[0]}
    journal.close()
    return found


def test_whole_other_history_is_handed_in_and_none_of_it_is_accepted(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take(world.one, world.homes_1[0])
    by_road(world, world.one)
    held = world.province.head(1, 1)
    start_anew(world.one)
    for household in (*world.homes_2, *world.homes_1, *world.homes_2):
        world.take(world.one, household)
    monkeypatch.setattr(agent, "BATCH_ENTRIES_MAX", 2)  # most of it lies beyond what is held
    with pytest.raises(ForkError, match="another history"):
        by_road(world, world.one)
    assert kept(world) == leaves(world.one)
    assert world.province.head(1, 1) == held


def test_gap_is_evidence_of_nothing_while_there_is_one_history(world: SyncWorld) -> None:
    for household in world.homes_1:
        world.take(world.one, household)
    road = ProcessRoad(Network(lambda: world.province), world.one)
    journal = open_journal(world.one.journal, reading=True)
    late = list(agent._batches(journal, 2))
    journal.close()
    with pytest.raises(Exception, match="send from 1"):
        road.send(late[0])
    assert kept(world) == set()


def test_other_history_is_handed_in_again_when_the_province_has_lost_it(world: SyncWorld) -> None:
    copy = world.folder / "copy"
    world.take(world.one, world.homes_1[0])
    by_road(world, world.one)
    world.province.close()
    shutil.copytree(world.province_folder.root, copy)
    world.province = world.reopened()
    start_anew(world.one)
    world.take(world.one, world.homes_1[1])
    with pytest.raises(ForkError):
        by_road(world, world.one)
    put_back(world, copy)
    assert kept(world) == set()
    with pytest.raises(ForkError):
        by_road(world, world.one, later=7200)
    assert kept(world) == leaves(world.one)


def test_province_that_holds_less_than_the_last_time_is_handed_it_at_once(
    world: SyncWorld,
) -> None:
    copy = world.folder / "copy"
    world.take(world.one, world.homes_1[0])
    by_road(world, world.one)
    world.province.close()
    shutil.copytree(world.province_folder.root, copy)
    world.province = world.reopened()
    world.take(world.one, world.homes_1[1])
    by_road(world, world.one)
    start_anew(world.one)
    world.take(world.one, world.homes_1[2])
    for _ in range(2):
        with pytest.raises(ForkError):
            by_road(world, world.one)
    assert kept(world) == leaves(world.one)
    put_back(world, copy)
    assert (world.province.head(1, 1).seq, kept(world)) == (1, set())
    with pytest.raises(ForkError):
        by_road(world, world.one)
    assert kept(world) == leaves(world.one)


def test_terminals_follow_a_province_that_was_put_back_and_miss_nothing_it_publishes(
    world: SyncWorld,
) -> None:
    """After a copy is put back the next segment has a number that terminals have taken already."""
    copy = world.folder / "copy"
    world.province.close()
    shutil.copytree(world.province_folder.root, copy)
    world.province = world.reopened()
    world.take(world.one, world.homes_1[0])
    by_road(world, world.one)
    by_road(world, world.two)
    assert install(world, world.two).problem is None
    assert taken(world.two, world.homes_1[0]) == 1
    put_back(world, copy)
    world.province.restored()
    world.take(world.one, world.homes_1[1])
    by_road(world, world.one)
    by_road(world, world.two)
    installed = install(world, world.two)
    assert (installed.problem, installed.usage_new) == (None, 1)
    for household in world.homes_1[:2]:
        assert taken(world.two, household) == 1
    journal = open_journal(world.two.journal, reading=True)
    assert len(journal.known().elements(Right(world.homes_1[0], 0, 1, 1))) == 1
    journal.close()


def put_back(world: SyncWorld, copy: object) -> None:
    """The server burns; last night's copy is laid in its place."""
    world.province.close()
    shutil.rmtree(world.province_folder.root)
    shutil.copytree(str(copy), world.province_folder.root)
    world.province = world.reopened()
