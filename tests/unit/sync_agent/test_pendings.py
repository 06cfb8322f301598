"""A redemption by chip that was cut off is settled by any terminal that saw its card since."""

from card_codec.chip.record import CardRecord, RecordKind, encode_record
from ledger.element import Element
from ledger.entry import (
    NOBODY_ELSE,
    NOT_COMMITTED,
    Basis,
    Commit,
    Observed,
    Pending,
    Void,
)
from ledger.folder import TerminalFolder
from ledger.usage_file import read_usage
from sync_agent.agent import sync_once
from sync_agent.province.cases import CaseKind
from sync_agent.province.pendings import Fate
from tests.simulation.road import Network, ProcessRoad
from tests.sync_world import SyncWorld, batch_of, install, taken

UID = bytes.fromhex("04a1b2c3d4e580")
VALUE = bytes(range(8))


def pending(household: bytes, *, counter: int = 5, quantity: int = 1) -> Pending:
    return Pending(
        household=household, issue=1, member=0, programme=1, window=1, quantity=quantity, paid=0,
        basis=Basis.HOME, uid=UID, counter=counter, before=0,
    )  # fmt: skip


def record(terminal: int, seq: int) -> bytes:
    """A record of one unit that a terminal gave."""
    return encode_record(CardRecord(RecordKind.REDEMPTION, terminal, 1, seq, 1, 1, 0, 1, 20_600))


def seen(household: bytes, counter: int, *records: bytes) -> Observed:
    return Observed(household, 1, UID, counter, VALUE, b"".join(records))


def hand_in(world: SyncWorld, *terminals: TerminalFolder) -> None:
    for terminal in terminals:
        world.province.take(batch_of(terminal), road="http")


def fates(world: SyncWorld) -> dict[str, Fate]:
    found = world.province.waiting(language="id")
    return {one.redemption.number: one.fate for one in found}


def test_what_nobody_has_seen_since_stays_open_and_is_nobodys_double(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    world.take(world.two, family)
    hand_in(world, world.one, world.two)
    assert fates(world) == {"T001-0001": Fate.OPEN}
    assert world.province.cases() == []


def test_card_that_shows_the_record_was_taken_and_a_second_one_is_a_double(
    world: SyncWorld,
) -> None:
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    world.record(world.two, seen(family, 7, record(1, 1), record(9, 4)))
    world.take(world.two, family)
    hand_in(world, world.one, world.two)
    assert fates(world) == {"T001-0001": Fate.COMMITTED}
    (case,) = world.province.cases()
    assert (case.kind, case.winner) == (CaseKind.DOUBLE, "T001-0001")


def test_card_that_went_on_without_it_did_not_take_it(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    world.record(world.two, pending(family))
    world.record(world.two, Commit(1, 6, VALUE))
    hand_in(world, world.one, world.two)
    assert fates(world) == {"T001-0001": Fate.NOT_COMMITTED}
    assert world.province.cases() == []  # one card, one commit: no family is accused


def test_card_seen_before_it_went_on_settles_nothing(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    world.record(world.two, seen(family, 5, record(9, 3), record(9, 4)))
    hand_in(world, world.two, world.one)
    assert fates(world) == {"T001-0001": Fate.OPEN}


def test_records_that_were_pushed_out_settle_nothing(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    world.record(world.two, seen(family, 9, record(9, 3), record(9, 4)))
    hand_in(world, world.two, world.one)
    assert fates(world) == {"T001-0001": Fate.OPEN}


def test_own_commit_or_void_ends_the_waiting(world: SyncWorld) -> None:
    first, second, third = world.homes_1
    for family in (first, second, third):
        world.record(world.one, pending(family))
    world.record(world.one, Commit(1, 6, VALUE))
    world.record(world.one, Commit(2, 6, b""))
    world.record(world.one, Void(3, NOT_COMMITTED, NOBODY_ELSE))
    hand_in(world, world.one)
    assert fates(world) == {}
    assert [one.voided for one in world.province.redemptions()].count(True) == 1


def test_two_chips_that_both_committed_are_a_double(world: SyncWorld) -> None:
    family = world.homes_1[0]
    for terminal in (world.one, world.two):
        world.record(terminal, pending(family))
        world.record(terminal, Commit(1, 6, VALUE))
    hand_in(world, world.one, world.two)
    (case,) = world.province.cases()
    assert (case.winner, [loser.id.number() for loser in case.losers]) == (
        "T001-0001",
        ["T002-0001"],
    )


def test_order_of_arrival_changes_nothing(world: SyncWorld) -> None:
    family = world.homes_1[0]
    world.record(world.two, seen(family, 6, record(1, 1)))
    hand_in(world, world.two)
    world.record(world.one, pending(family))
    hand_in(world, world.one)
    assert fates(world) == {"T001-0001": Fate.COMMITTED}


def test_pending_counts_at_other_terminals_until_it_is_voided(world: SyncWorld) -> None:
    """It rides in usage with its chip's counter; its own terminal's void takes it out again."""
    family = world.homes_1[0]
    world.record(world.one, pending(family))
    by_road(world, world.one)
    by_road(world, world.two)
    install(world, world.two)
    assert taken(world.two, family) == 1
    assert {element.counter for element in carried(world)} == {6}
    world.record(world.one, Void(1, NOT_COMMITTED, NOBODY_ELSE))
    by_road(world, world.one)
    by_road(world, world.two)
    install(world, world.two)
    assert taken(world.two, family) == 0


def by_road(world: SyncWorld, folder: TerminalFolder) -> None:
    road = ProcessRoad(Network(lambda: world.province), folder)
    sync_once(folder, road, now=world.clock.wall)


def carried(world: SyncWorld) -> list[Element]:
    """Every element in the usage that was published."""
    files = world.province.folder.repository.targets.rglob("*.cbor")
    usage = [file for file in files if "usage" in file.parts]
    return [element for file in usage for element in read_usage(file.read_bytes())[1]]
