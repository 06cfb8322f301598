"""What evidence shows beside the log counts: it rides in the usage, and doubles are found by it."""

from __future__ import annotations

import msgspec
import pytest

from ledger.entry import Basis, Commit, Content, Opened, Void
from ledger.folder import TerminalFolder
from sync_agent.errors import IntakeRefusedError
from sync_agent.province.evidence import Shown
from tests.issuer_check import pending
from tests.sync_world import SyncWorld, batch_of, install, sync, taken
from tests.unit.sync_agent.test_evidence import begun_anew, days, slip
from tests.unit.sync_agent.test_settlement import FROZEN_AFTER_SECONDS, ended

ON_BOTH_STORES = True


def forked(world: SyncWorld, *contents: Content) -> list[str]:
    """Terminal 1 has two histories: the province accepted one, and keeps this one as evidence."""
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="http")
    begun_anew(world.one)
    return branch(world, *contents)


def branch(world: SyncWorld, *contents: Content) -> list[str]:
    numbers = [world.record(world.one, content) for content in contents]
    with pytest.raises(IntakeRefusedError, match="another history"):
        world.province.take(batch_of(world.one), road="http")
    return numbers


def at_two(world: SyncWorld, family: bytes) -> None:
    world.take(world.two, family)
    world.province.take(batch_of(world.two), road="http")


def doubles(world: SyncWorld) -> list[tuple[str | None, list[str]]]:
    return [(c.winner, [loser.id.number() for loser in c.losers]) for c in world.province.cases()]


def knows(world: SyncWorld, folder: TerminalFolder, family: bytes) -> int:
    """How much of the right a terminal counts as taken after it met the province."""
    with world.serving() as province:
        sync(folder, province.url)
    install(world, folder)
    return taken(folder, family)


def test_double_with_one_half_on_a_branch_is_a_case(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    assert doubles(world) == []
    at_two(world, family)
    assert doubles(world) == [("T002-0001", ["T001-0001"])]
    (case,) = world.province.cases()
    assert [claim.proved for claim in (*case.counted, *case.losers)] == [False, True]


def test_record_of_a_branch_is_evidence_in_the_case(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    at_two(world, family)
    (records,) = world.province.records.evidence(world.province.cases())
    assert [(r.number, r.road, r.acknowledged is None) for r in records] == [
        ("T002-0001", "http", False), ("T001-0001", "evidence", True)
    ]  # fmt: skip
    (listed,) = (
        world.province.records.listed(case, language="id") for case in world.province.cases()
    )
    assert [one.number for one in listed] == ["T002-0001", "T001-0001"]
    assert listed[1].point == world.terminals[0].point


def test_two_leaves_under_one_id_are_two_records(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.take(world.one, family)
    world.province.take(batch_of(world.one), road="http")
    begun_anew(world.one)
    world.clock.pass_time(60)
    branch(world, world.redemption(family))
    assert doubles(world) == [("T001-0001", ["T001-0001"])]
    (case,) = world.province.cases()
    assert len({claim.leaf for claim in (*case.counted, *case.losers)}) == 2


def test_element_of_a_branch_rides_in_the_usage_once(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    assert knows(world, world.two, family) == 1
    assert world.province.publish() == 0
    with pytest.raises(IntakeRefusedError, match="another history"):
        world.province.take(batch_of(world.one), road="http")
    assert world.province.publish() == 0


def test_what_a_branch_took_back_itself_is_nobodys_double(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family), Void(1, "salah", "DUA"))
    at_two(world, family)
    assert doubles(world) == []
    assert knows(world, world.two, family) == 2, "a counter is only the more careful"


def test_void_of_one_branch_takes_nothing_of_another_back(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    begun_anew(world.one)
    branch(world, Opened("lagi"), Void(1, "salah", "DUA"))
    at_two(world, family)
    assert doubles(world) == [("T002-0001", ["T001-0001"])]


def test_pending_of_a_branch_is_a_double_only_with_its_commit(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, pending(family, basis=Basis.HOME))
    at_two(world, family)
    assert doubles(world) == []
    branch(world, Commit(1, 2, bytes(8)))
    assert doubles(world) == [("T002-0001", ["T001-0001"])]


def test_slip_of_an_entry_that_never_arrived_counts_until_it_does(world: SyncWorld) -> None:
    family = world.homes_2[0]
    world.take(world.one, family)
    at_two(world, family)
    assert doubles(world) == []
    assert world.province.show_slip(slip(world.one))[0] is Shown.MISSING
    assert doubles(world) == [("T002-0001", ["T001-0001"])]
    world.province.take(batch_of(world.one), road="http")
    assert doubles(world) == [("T002-0001", ["T001-0001"])]
    (case,) = world.province.cases()
    assert not any(claim.proved for claim in (*case.counted, *case.losers))


def test_what_comes_of_a_terminal_after_it_was_shut_out_proves_nothing(world: SyncWorld) -> None:
    family = world.homes_2[0]
    world.take(world.one, family)
    at_two(world, family)
    world.terminals[0] = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.province.release(world.sign_release())
    with pytest.raises(IntakeRefusedError, match="shut out"):
        world.province.take(batch_of(world.one), road="stick")
    assert doubles(world) == []
    assert world.province.publish() == 0
    assert knows(world, world.two, family) == 1


def test_what_came_before_it_was_shut_out_stays_a_double(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    at_two(world, family)
    world.clock.pass_time(60)
    world.terminals[0] = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.province.release(world.sign_release())
    assert doubles(world) == [("T002-0001", ["T001-0001"])]


def test_settled_case_keeps_the_record_of_a_branch(world: SyncWorld) -> None:
    family = world.homes_2[0]
    forked(world, world.redemption(family))
    at_two(world, family)
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    assert world.province.settle()
    (case,) = world.province.cases()
    assert (case.settled, case.winner) == (True, "T002-0001")
    assert [(c.id.number(), c.proved, c.late) for c in case.losers] == [("T001-0001", True, False)]


def test_branch_that_is_shown_after_the_settlement_stands_behind(world: SyncWorld) -> None:
    family = world.homes_1[0]
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="http")
    at_two(world, family)
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    assert world.province.settle()
    begun_anew(world.one)
    branch(world, world.redemption(family))
    (case,) = world.province.cases()
    assert (case.settled, case.winner) == (True, "T002-0001"), "home, and too late all the same"
    assert [(c.id.number(), c.proved, c.late) for c in case.losers] == [("T001-0001", True, True)]
