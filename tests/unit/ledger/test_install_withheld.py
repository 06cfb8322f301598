"""Changes of a kecamatan kept back by the key on the network: the rights age, or are refused."""

import shutil
from pathlib import Path

import pytest
from tuf.api.metadata import Snapshot

from card_codec.reason import Reason
from ledger.errors import RightsError
from ledger.folder import TerminalFolder
from ledger.policy import DAY, FreshnessStep
from ledger.rights import Rights
from ledger.rights_file import FLAG_REMOVED
from tests.point import Point, make_point
from tests.unit.ledger.forging import publish, sign, sign_timestamp
from tests.unit.ledger.test_install_changes import ROLE, installed, reason, take
from tests.world import KEC_1, World


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


def withhold(point: Point, role: str, version: int) -> None:
    """The online key names an old version of a role under a fresh time."""
    world = point.world
    snapshot = world.repository.load("snapshot", Snapshot)
    snapshot.meta[f"{role}.json"].version = version
    sign(point, "snapshot", snapshot, world.online)
    newest = world.repository.load("snapshot", Snapshot).version
    sign_timestamp(point, snapshot=newest, time=world.clock.wall)


def test_removals_withheld_under_fresh_timestamps_age_the_rights(point: Point) -> None:
    """The key on the network can keep them back; what is given then shrinks by the ladder."""
    world = point.world
    world.freshness = (FreshnessStep(7, 100), FreshnessStep(14, 0))
    take(point)
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})  # signed, and never brought
    told_at = {}
    for day in range(1, 46):
        world.clock.pass_time(DAY)
        publish(point)
        point.bring()
        assert point.take().problem is None
        told_at[day] = reason(point, "mawar"), reason(point, "melati")
    assert point.counter.state().age_days == 0
    assert installed(point)[0][KEC_1] == 0
    assert told_at[37] == (None, None)
    assert told_at[38] == (None, Reason.LEDGER_STALE)
    assert told_at[44] == (None, Reason.LEDGER_STALE)
    assert told_at[45] == (Reason.LEDGER_TOO_OLD, Reason.LEDGER_TOO_OLD)


def test_older_kecamatan_role_is_refused_where_a_newer_one_was_seen(point: Point) -> None:
    world = point.world
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})
    take(point)
    before = installed(point)
    withhold(point, ROLE, 1)
    point.bring()
    problem = point.take().problem
    assert problem is not None
    assert "version" in problem
    assert installed(point) == before
    assert reason(point, "mawar") is Reason.NOT_ENTITLED


def test_older_kecamatan_role_is_refused_though_the_files_of_trust_were_lost(point: Point) -> None:
    world = point.world
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})
    take(point)
    before = installed(point)
    withhold(point, ROLE, 1)
    shutil.rmtree(point.folder.trusted)
    point.bring()
    assert point.take().problem == (
        f"the changes of {KEC_1} (0) are older than 1, which are installed"
    )
    assert installed(point) == before


def test_old_kecamatan_role_given_to_a_new_terminal_is_refused_after_the_next_decree(
    tmp_path: Path,
) -> None:
    """A terminal that has seen nothing yet: the decree tells it how far the changes had come."""
    point = make_point(tmp_path)
    world = point.world
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})
    world.publish()
    world.folded[KEC_1] = 1
    world.publish()
    withhold(point, ROLE, 1)
    new = fresh_terminal(world, point)
    counter = world.counter(new)
    problem = counter.take_in_box().problem
    counter.close()
    assert problem is not None
    assert f"the changes of {KEC_1} (0) are older than the decree" in problem
    with pytest.raises(RightsError, match="no ledger is installed"):
        Rights(new.rights)


def test_old_kecamatan_role_given_to_a_new_terminal_ages_by_its_own_date(tmp_path: Path) -> None:
    point = make_point(tmp_path)
    world = point.world
    world.clock.pass_time(33 * DAY)
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})
    world.sign_changes(KEC_1, world.kecamatan_keys[KEC_1])
    withhold(point, ROLE, 1)
    new = fresh_terminal(world, point)
    counter = world.counter(new)
    assert counter.take_in_box().problem is None
    counter.close()
    rights = Rights(new.rights)
    household = rights.household(point.ids["mawar"])
    assert household is not None
    assert rights.age(household, world.clock.wall) == 3 * DAY
    rights.close()


def fresh_terminal(world: World, point: Point) -> TerminalFolder:
    """The other terminal of the point, which has installed nothing yet."""
    world.give_root(point.other)
    world.bring(point.other)
    return point.other
