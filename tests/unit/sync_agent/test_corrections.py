"""A redemption that a kecamatan took back, at the province: cases, usage, settled windows."""

from __future__ import annotations

import msgspec
import pytest

from ledger.changes_file import Correction
from ledger.clock import SystemClock
from ledger.element import RedemptionId
from ledger.entry import Void
from sync_agent.cli import main
from sync_agent.errors import ProvinceError
from sync_agent.province.corrections import Misnamed
from tests.commands import Command
from tests.sync_world import SyncWorld, batch_of, install, sync, taken
from tests.unit.sync_agent.test_evidence import begun_anew
from tests.unit.sync_agent.test_proved import at_two, branch, doubles, forked, knows
from tests.unit.sync_agent.test_settlement import FROZEN_AFTER_SECONDS, arrive, doubled, ended
from tests.world import KEC_1, KEC_2

ON_BOTH_STORES = True

AWAY = RedemptionId(1, 1, 1)
"""What terminal 1 gave to a family of terminal 2's desa, that was given to at home, too."""


def correct(
    world: SyncWorld, id: RedemptionId, household: bytes, *, kecamatan: str = KEC_2, number: int = 1
) -> int:
    """The kecamatan's two sign, and the province takes the release."""
    world.change(kecamatan, number=number, corrected={(id, household): number})
    return world.province.release(world.sign_release())


def voided(world: SyncWorld) -> set[str]:
    return {one.number for one in world.province.redemptions() if one.voided}


def test_case_goes_away_before_its_window_is_settled(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    arrive(world, "two")
    assert len(world.province.cases()) == 1
    correct(world, AWAY, world.homes_2[0])
    assert world.province.cases() == []
    assert voided(world) == {"T001-0001"}
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    assert world.province.cases() == []


def test_correction_that_comes_before_its_redemption_counts_when_that_arrives(
    world: SyncWorld,
) -> None:
    doubled(world)
    arrive(world, "two")
    correct(world, AWAY, world.homes_2[0])
    assert voided(world) == set()
    arrive(world, "one")
    assert world.province.cases() == []
    assert voided(world) == {"T001-0001"}


def test_correction_after_the_settlement_is_shown_as_late_and_moves_nothing(
    world: SyncWorld,
) -> None:
    doubled(world)
    arrive(world, "one")
    arrive(world, "two")
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    (before,) = world.province.cases()
    correct(world, AWAY, world.homes_2[0])
    (after,) = world.province.cases()
    assert (after.counted, after.why, after.winner) == (before.counted, before.why, before.winner)
    (loser,) = after.losers
    assert (loser.id, loser.voided_late) == (AWAY, True)


def test_correction_of_the_one_that_counted_lets_the_other_count(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    arrive(world, "two")
    (case,) = world.province.cases()
    assert case.winner == "T002-0001"
    correct(world, RedemptionId(2, 1, 1), world.homes_2[0])
    assert (world.province.cases(), voided(world)) == ([], {"T002-0001"})


@pytest.mark.parametrize("first", ["redemption", "correction"])
def test_redemption_of_another_household_is_not_taken_back_and_that_is_told(
    world: SyncWorld, first: str
) -> None:
    doubled(world)
    arrive(world, "two")
    if first == "redemption":
        arrive(world, "one")
    correct(world, AWAY, world.homes_2[1])
    if first == "correction":
        assert world.province.misnamed_corrections() == []
        arrive(world, "one")
    assert len(world.province.cases()) == 1
    assert voided(world) == set()
    assert world.province.misnamed_corrections() == [Misnamed("T001-0001", world.homes_2[1].hex())]


def test_redemption_that_its_terminal_voided_as_well_is_taken_back_once(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "two")
    correct(world, AWAY, world.homes_2[0])
    world.record(world.one, Void(1, "salah", "DUA"))
    world.province.take(batch_of(world.one), road="stick")
    assert (world.province.cases(), voided(world)) == ([], {"T001-0001"})


def test_redemption_that_evidence_alone_shows_is_taken_back_too(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    at_two(world, family)
    assert doubles(world) == [("T002-0001", ["T001-0001"])]
    correct(world, AWAY, family)
    assert doubles(world) == []
    assert knows(world, world.two, family) == 1, "its own, and not what the branch gave"


def test_branch_of_a_settled_case_stands_and_is_shown_as_corrected_late(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    at_two(world, family)
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    correct(world, AWAY, family)
    (case,) = world.province.cases()
    (loser,) = case.losers
    assert (case.winner, loser.id, loser.proved, loser.voided_late) == (
        "T002-0001", AWAY, True, True
    )  # fmt: skip


def test_correction_of_one_of_two_families_under_a_number_leaves_the_other(
    world: SyncWorld,
) -> None:
    """The log holds one, a branch the other: each is taken back by its own household's."""
    mine, branch_gave = world.homes_2
    world.take(world.one, mine)
    world.province.take(batch_of(world.one), road="http")
    begun_anew(world.one)
    world.clock.pass_time(60)
    branch(world, world.redemption(branch_gave))
    at_two(world, branch_gave)
    assert doubles(world) == [("T002-0001", ["T001-0001"])]
    correct(world, AWAY, branch_gave)
    assert (doubles(world), voided(world)) == ([], set())
    assert world.province.misnamed_corrections() == []


def test_same_release_again_takes_nothing_back_twice(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    correct(world, AWAY, world.homes_2[0])
    world.province.release(world.sign_release())
    assert voided(world) == {"T001-0001"}


def test_release_that_dates_a_correction_back_is_refused_and_nothing_is_taken_back(
    world: SyncWorld,
) -> None:
    doubled(world)
    arrive(world, "one")
    world.change(KEC_2, number=3)
    world.province.release(world.sign_release())
    world.change(KEC_2, number=4)
    row = Correction(1, 1, 1, world.homes_2[0], 2)
    world.changes[KEC_2] = msgspec.structs.replace(world.changes[KEC_2], corrected=(row,))
    with pytest.raises(ProvinceError, match="T001-0001 was taken back in changes 2, which said"):
        world.province.release(world.sign_release())
    assert voided(world) == set()


def test_release_past_the_bound_of_corrections_takes_none_of_them(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    six = {(RedemptionId(1, 1, seq), world.homes_2[0]): 1 for seq in range(1, 7)}
    world.change(KEC_2, corrected=six)
    with pytest.raises(ProvinceError, match="take back redemptions of 6 of 2 households"):
        world.province.release(world.sign_release())
    assert voided(world) == set()


def test_correction_of_a_neighbours_household_is_refused(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    world.change(KEC_1)
    row = Correction(1, 1, 1, world.homes_2[0], 1)
    world.changes[KEC_1] = msgspec.structs.replace(world.changes[KEC_1], corrected=(row,))
    with pytest.raises(ProvinceError, match="take back T001-0001 of household"):
        world.province.release(world.sign_release())
    assert voided(world) == set()


def test_every_terminal_counts_it_as_taken_back_once_it_has_synced(world: SyncWorld) -> None:
    home = world.homes_1[0]
    world.take(world.one, home)
    with world.serving() as at:
        for terminal in (world.one, world.two):
            sync(terminal, at.url)
            install(world, terminal)
        sync(world.two, at.url)
        install(world, world.two)
        assert (taken(world.one, home), taken(world.two, home)) == (1, 1)
        correct(world, AWAY, home, kecamatan=KEC_1)
        sync(world.two, at.url)
        install(world, world.two)
        assert (taken(world.one, home), taken(world.two, home)) == (1, 0)
        sync(world.one, at.url)
        install(world, world.one)
    assert (taken(world.one, home), taken(world.two, home)) == (0, 0)


def test_command_that_takes_the_release_tells_of_a_wrong_household(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doubled(world)
    arrive(world, "one")
    world.change(KEC_2, corrected={(AWAY, world.homes_2[1]): 1})
    world.sign_release()
    world.province.close()
    run = Command(main, monkeypatch, capsys)
    monkeypatch.setattr(SystemClock, "read", lambda _self: world.clock.read())
    config, source = str(world.province_folder.root), str(world.release_folder)
    done = run("province", "release", "--config", config, "--from", source)
    assert done.code == 0
    assert f"correction of T001-0001 names household {world.homes_2[1].hex()}, whose" in done.out
    world.province = world.reopened()
