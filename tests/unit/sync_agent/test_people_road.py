"""People files on the road: offered to who serves the desa, swept when they are over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.entry import LookUp, Presented
from ledger.people_file import people_path
from ledger.sealing import read_recipient
from sync_agent.errors import IntakeRefusedError
from tests.sync_world import SyncWorld, install, sync
from tests.world import DESA_1, DESA_2


def _publish(world: SyncWorld) -> None:
    world.province.release(world.sign_release())


@pytest.fixture
def named(world: SyncWorld) -> SyncWorld:
    """Both desa have people."""
    world.villagers.add(world.homes_1[0], "Siti Aminah")
    world.villagers.add(world.homes_2[0], "Yanti Marlina", desa=DESA_2)
    world.clock.pass_time(60)
    _publish(world)
    return world


def _offered(world: SyncWorld, ordinal: int) -> list[str]:
    terminal = world.terminals[ordinal - 1]
    offer = world.province.offer(terminal)
    return [item.path for item in offer if item.path.startswith("targets/people/")]


def test_people_are_offered_to_the_terminal_that_serves_their_desa_alone(named: SyncWorld) -> None:
    (mine,), (other,) = _offered(named, 1), _offered(named, 2)
    assert mine.endswith(f".{DESA_1}.age")
    assert other.endswith(f".{DESA_2}.age")
    one, two = named.terminals
    assert named.province.file(one, mine)
    assert named.province.file(two, other)
    for terminal, path in ((one, other), (two, mine)):
        with pytest.raises(IntakeRefusedError):
            named.province.file(terminal, path)
    assert read_recipient(named.villagers.recipients[1])


def test_people_travel_and_what_is_superseded_leaves_the_in_box_at_once(named: SyncWorld) -> None:
    with named.serving() as at:
        sync(named.one, at.url)
        assert install(named, named.one).problem is None
        before = (named.one.people / f"{DESA_1}.age").read_bytes()
        assert _with(named.one.root, before) != []
        named.clock.pass_time(60)
        named.villagers.families[DESA_1] = []
        named.villagers.add(named.homes_1[0], "Siti Aminah Baru")
        _publish(named)
        sync(named.one, at.url)
        assert _with(named.one.in_box, before) == []
        assert install(named, named.one).problem is None
    assert _with(named.one.root, before) == []


def test_people_of_a_decree_that_names_none_leave_the_terminal(named: SyncWorld) -> None:
    with named.serving() as at:
        sync(named.one, at.url)
        install(named, named.one)
        named.clock.pass_time(60)
        named.villagers.families.clear()
        _publish(named)
        sync(named.one, at.url)
        assert install(named, named.one).problem is None
    assert [p for p in named.one.root.rglob("*.age") if p.is_file()] == []
    assert list(named.province_folder.repository.folder.rglob("*.age")) == []


def test_province_holds_people_that_it_cannot_read(named: SyncWorld) -> None:
    repository = named.province_folder.repository.folder
    files = [path for path in repository.rglob("*") if path.is_file()]
    assert [p for p in files if b"Siti" in p.read_bytes() or b"Yanti" in p.read_bytes()] == []
    assert any(path.name.endswith(f"{DESA_1}.age") for path in files)
    assert people_path(DESA_1) == f"people/629901/{DESA_1}.age"


def test_look_ups_travel_as_what_happened_and_name_no_number(named: SyncWorld) -> None:
    number = named.record(named.one, LookUp(named.homes_1[0], 1, ""))
    named.record(named.one, LookUp(None, 0, "look_up_unknown"))
    named.take(named.one, named.homes_1[0], presented=Presented.LOOK_UP)
    with named.serving() as at:
        report = sync(named.one, at.url)
    assert (number, report.uploaded, report.accepted) == ("T001-0001", 3, 3)
    assert report.acknowledgement == "T001-0003"


def _with(folder: Path, data: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and data in path.read_bytes()]
