"""Over a line of 32 kbit/s that loses, cuts and belongs to a hotel: all arrives, once, whole."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger.entry import Opened
from ledger.folder import TerminalFolder
from sync_agent.errors import NotOursError, RoadClosedError, RoadError
from tests.line import MOVED, PORTAL, Line, line_to, open_port
from tests.sync_world import SyncWorld, acknowledged, batch_of, install, small_world, sync, taken

pytestmark = [pytest.mark.integration, pytest.mark.slow]

THIN = 4_000
"""Bytes a second of 32 kbit/s."""
TRIES_MAX = 80


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


@pytest.fixture
def line(world: SyncWorld) -> Iterator[Line]:
    """The province answers to the name that the line has on this side."""
    listening = open_port()
    name = f"127.0.0.1:{listening.getsockname()[1]}"
    folder = world.province.folder
    config = msgspec.structs.replace(folder.config, hosts=(name,))
    world.province.folder = dataclasses.replace(folder, config=config)
    with world.serving() as at:
        host, _, port = at.url.removeprefix("http://").rpartition(":")
        with line_to((host, int(port)), listening) as made:
            yield made


def a_day(world: SyncWorld, *, entries: int) -> None:
    for number in range(entries - 3):
        world.record(world.one, Opened(f"hari {number}"))
    for household in world.homes_1:
        world.take(world.one, household)


def lying(folder: TerminalFolder) -> list[Path]:
    return [path for path in folder.in_box.rglob("*") if path.is_file()]


def until_it_goes(world: SyncWorld, line: Line) -> int:
    """Sync as a patient agent does, without its pauses; how often it had to."""
    for tries in range(1, TRIES_MAX):
        try:
            sync(world.one, line.url)
        except RoadClosedError:
            # Half of an offer is inert: its timestamp comes last.
            assert install(world, world.one).problem is None
            continue
        return tries
    raise AssertionError("it never got through")


def all_arrived(world: SyncWorld, entries: int) -> None:
    assert world.province.head(1, 1).seq == entries
    assert len(world.province.redemptions()) == 3
    assert install(world, world.one).problem is None
    assert acknowledged(world.one) == entries
    assert [taken(world.one, household) for household in world.homes_1] == [1, 1, 1]


def test_day_goes_over_a_thin_line_that_loses(world: SyncWorld, line: Line) -> None:
    a_day(world, entries=200)
    line.bytes_per_second, line.losing = THIN, 0.03
    began = time.monotonic()
    assert sync(world.one, line.url).accepted == 200
    took = time.monotonic() - began
    all_arrived(world, 200)
    assert line.carried["up"] + line.carried["down"] > 2 * THIN, "else the line was not thin"
    assert took < 100


def test_line_that_is_cut_again_and_again_brings_everything_once(
    world: SyncWorld, line: Line
) -> None:
    a_day(world, entries=120)
    line.cut_up = lambda: line.chance.randint(50, 4_000)
    line.cut_down = lambda: line.chance.randint(50, 9_000)
    assert until_it_goes(world, line) > 1
    all_arrived(world, 120)


def test_body_cut_at_any_place_stores_nothing(world: SyncWorld, line: Line) -> None:
    a_day(world, entries=12)
    size = len(batch_of(world.one))
    for cut in range(300, 600 + size, 37):
        line.cut_up = lambda at=cut: at  # type: ignore[misc]
        with pytest.raises(RoadError):
            sync(world.one, line.url)
        if world.province.head(1, 1).seq:
            break
        assert world.province.redemptions() == []
    assert world.province.head(1, 1).seq in {0, 12}, "all of it or nothing"
    line.cut_up = lambda: None
    sync(world.one, line.url)
    all_arrived(world, 12)


def test_answer_that_is_lost_on_the_way_back_doubles_nothing(world: SyncWorld, line: Line) -> None:
    a_day(world, entries=12)
    for cut in (0, 1, 200, 900, 1_200):
        line.cut_down = lambda at=cut: at  # type: ignore[misc]
        with pytest.raises(RoadClosedError):
            sync(world.one, line.url)
    line.cut_down = lambda: None
    sync(world.one, line.url)
    all_arrived(world, 12)


@pytest.mark.parametrize("answer", [PORTAL, MOVED, b"HTTP/1.0 200 OK\r\n\r\n{}", b"220 smtp\r\n"])
def test_log_in_page_of_a_network_changes_nothing(
    world: SyncWorld, line: Line, answer: bytes
) -> None:
    a_day(world, entries=5)
    line.portal = answer
    for _ in range(3):
        with pytest.raises((NotOursError, RoadClosedError)):
            sync(world.one, line.url)
    assert lying(world.one) == []
    assert world.province.head(1, 1).seq == 0
    line.portal = None
    assert sync(world.one, line.url).accepted == 5
    all_arrived(world, 5)
