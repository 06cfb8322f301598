"""A signed time comes by every road, though nothing else has changed."""

from pathlib import Path

import pytest

from ledger.journal import open_journal
from ledger.policy import DAY
from sync_agent.province.sticks import once_with
from sync_agent.stick import Stick
from tests.sync_world import SyncWorld, install, small_world, sync

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def by_http(world: SyncWorld, _: Path) -> None:
    with world.serving() as at:
        sync(world.one, at.url)


def by_stick(world: SyncWorld, folder: Path) -> None:
    stick = folder / "stick"
    stick.mkdir(exist_ok=True)
    once_with(world.province, Stick(stick))
    sync(world.one, stick)


@pytest.mark.parametrize("road", [by_http, by_stick])
def test_signed_time_comes_by_every_road(road: object, tmp_path: Path) -> None:
    world = small_world(tmp_path / "world")
    assert callable(road)
    road(world, tmp_path)
    first = install(world, world.one)
    began = online(world)
    world.clock.pass_time(3 * DAY)
    road(world, tmp_path)
    world.clock.wall -= 400 * DAY  # the terminal's own clock says nothing true
    again = install(world, world.one)
    assert (again.problem, again.ledger) == (None, first.ledger)
    assert online(world) - began == 3 * DAY
    world.province.close()


def online(world: SyncWorld) -> int:
    """The newest time signed online that this terminal has taken."""
    journal = open_journal(world.one.journal, reading=True)
    try:
        return journal.floors().online.time
    finally:
        journal.close()
