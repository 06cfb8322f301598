"""Two weeks after its end a window's cases stand, and what comes later stands behind them."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from card_codec.cose import sign1
from card_codec.keys import PrivateKey
from ledger.element import RedemptionId, Right
from ledger.entry import Basis, Commit, Void
from ledger.errors import RecordError
from ledger.mac_verdict import Finding
from ledger.record import Record, pack
from sync_agent.errors import ProvinceError
from sync_agent.province import schema
from sync_agent.province.cases import Claim, Why
from sync_agent.province.judging import _settled_case
from sync_agent.province.settlement import (
    Mark,
    Named,
    Settlement,
    Standing,
    StandingCase,
    read,
    settlements,
    write,
)
from sync_agent.province.store import Store
from tests.issuer_check import IssuerCheck, begin, redeem
from tests.sync_world import SyncWorld, batch_of
from tests.world import NOW

ON_BOTH_STORES = True


LOG = PrivateKey.generate()
FROZEN_AFTER_SECONDS = 14 * 86_400 + 1


def ended(world: SyncWorld) -> int:
    """The last second of the first window of programme 1."""
    programme = world.province.in_force().rights.policy.programme_numbered(1)
    assert programme is not None
    return programme.ends(programme.windows[0])


def arrive(world: SyncWorld, name: str) -> None:
    world.province.take(batch_of(getattr(world, name)), road="stick")


def doubled(world: SyncWorld) -> None:
    """A family of terminal 2's desa: it was given to by terminal 1, then at home."""
    world.take(world.one, world.homes_2[0])
    world.take(world.two, world.homes_2[0])


def test_window_is_settled_two_weeks_after_its_end_and_once(world: SyncWorld) -> None:
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS - 1
    assert world.province.settle() == []
    world.clock.wall += 1
    (due, *_) = world.province.settle()
    assert (due.programme, due.window, due.ended) == (1, 1, ended(world))
    assert world.province.settle() == []


def test_record_that_comes_after_the_settlement_loses_to_what_was_held(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    assert world.province.cases() == []
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    arrive(world, "two")
    (case,) = world.province.cases()
    assert (case.winner, case.why, case.settled) == ("T001-0001", Why.SETTLED, True)
    assert [(claim.id.number(), claim.late) for claim in case.losers] == [("T002-0001", True)]


def test_verdict_that_was_held_stands_as_the_plain_rule_found_it(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    arrive(world, "two")
    (before,) = world.province.cases()
    assert (before.winner, before.settled) == ("T002-0001", False)
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    assert world.province.cases() == [dataclasses.replace(before, settled=True)]


def test_settlement_says_how_far_each_chain_was_held_and_is_signed(world: SyncWorld) -> None:
    doubled(world)
    arrive(world, "one")
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()
    store = Store(world.province_folder.store_url)
    with store.reading() as db:
        row = db.execute(select(schema.settlement)).first()
        assert row is not None
        said = read(row.data, lambda _kid: world.log.public)
        assert [(m.terminal, m.epoch, m.seq) for m in said.marks] == [(1, 1, 1)]
        assert said.marks[0].head.hex() == world.province.head(1, 1).head
        settled = settlements(db, [world.log.public])[1, 1]
        assert (settled.held, settled.out, settled.cases) == ({(1, 1): 1}, frozenset(), {})
        stranger = PrivateKey.generate()
        with pytest.raises(RecordError):
            read(row.data, lambda _kid: stranger.public)
        with pytest.raises(ProvinceError, match="not as it was signed"):
            settlements(db, [stranger.public])
    store.close()


class FormOne(Record, frozen=True):
    """A settlement as the version before signed it."""

    form: str
    numbers: tuple[int, ...]


def test_settlement_of_an_older_version_is_told_as_such_and_not_as_damage(
    world: SyncWorld,
) -> None:
    store = Store(world.province_folder.store_url)
    old = sign1(pack(FormOne("khb-settlement-1", (1, 2))), world.log)
    row = {"programme": 1, "window": 1, "at": NOW, "data": old}
    with store.writing() as db:
        db.execute(insert(schema.settlement).values(**row))
    with (
        store.reading() as db,
        pytest.raises(ProvinceError, match=r"settled by an older version.*; go on with that"),
    ):
        settlements(db, [world.log.public])
    with (
        store.reading() as db,
        pytest.raises(ProvinceError, match="not as it was signed"),
    ):
        settlements(db, [PrivateKey.generate().public])
    store.close()


def settle(world: SyncWorld) -> None:
    world.clock.wall = ended(world) + FROZEN_AFTER_SECONDS
    world.province.settle()


def told(world: SyncWorld) -> list[tuple[str | None, list[str], Why]]:
    return [
        (case.winner, [loser.id.number() for loser in case.losers], case.why)
        for case in world.province.cases()
    ]


STOOD = [("T002-0001", ["T001-0001"], Why.HOME)]


@pytest.mark.parametrize("of", ["one", "two"])
def test_void_that_comes_after_the_settlement_moves_no_verdict(world: SyncWorld, of: str) -> None:
    """Neither the loser's void clears the case, nor the winner's lets the loser count."""
    doubled(world)
    arrive(world, "one")
    arrive(world, "two")
    settle(world)
    world.record(getattr(world, of), Void(1, "wrong family", "AB"))
    arrive(world, of)
    assert told(world) == STOOD
    (case,) = world.province.cases()
    late = {c.id.terminal: c.voided_late for c in (*case.counted, *case.losers)}
    assert late == {1: of == "one", 2: of == "two"}
    assert {one.number for one in world.province.redemptions() if one.voided} == {
        "T001-0001" if of == "one" else "T002-0001"
    }


def test_void_that_comes_after_the_settlement_opens_no_room_for_a_late_record(
    world: SyncWorld,
) -> None:
    world.take(world.one, world.homes_2[0])
    arrive(world, "one")
    settle(world)
    world.record(world.one, Void(1, "wrong family", "AB"))
    arrive(world, "one")
    assert told(world) == []
    world.take(world.two, world.homes_2[0])
    arrive(world, "two")
    assert told(world) == [("T001-0001", ["T002-0001"], Why.SETTLED)]


def test_void_that_was_held_at_the_settlement_counts(world: SyncWorld) -> None:
    doubled(world)
    world.record(world.two, Void(1, "wrong family", "AB"))
    arrive(world, "one")
    arrive(world, "two")
    assert told(world) == []
    settle(world)
    assert told(world) == []


def test_late_record_that_is_taken_back_is_no_case(world: SyncWorld) -> None:
    world.take(world.two, world.homes_2[0])
    arrive(world, "two")
    settle(world)
    world.take(world.one, world.homes_2[0])
    arrive(world, "one")
    assert told(world) == [("T002-0001", ["T001-0001"], Why.SETTLED)]
    world.record(world.one, Void(1, "wrong family", "AB"))
    arrive(world, "one")
    assert told(world) == []


def test_commit_that_comes_after_the_settlement_stands_behind_what_was_held(
    world: SyncWorld,
) -> None:
    """A pending redemption of the home terminal would have won, had its commit been held."""
    begin(world, world.two, world.homes_2[0])
    arrive(world, "two")
    world.take(world.one, world.homes_2[0])
    arrive(world, "one")
    settle(world)
    assert told(world) == []
    world.record(world.two, Commit(1, 2, bytes(8)))
    arrive(world, "two")
    assert told(world) == [("T001-0001", ["T002-0001"], Why.SETTLED)]


@pytest.mark.parametrize("late", [False, True])
def test_verdict_that_comes_after_the_settlement_is_shown_and_moves_nothing(
    world: SyncWorld, late: bool
) -> None:
    issuer = IssuerCheck(world)
    family = world.homes_2[0]
    verdicts = issuer.file(redeem(world, world.one, family))
    world.take(world.two, family)
    arrive(world, "one")
    arrive(world, "two")
    if late:
        settle(world)
        world.province.macs.take(verdicts)
        assert told(world) == STOOD
    else:
        world.province.macs.take(verdicts)
        settle(world)
        assert told(world) == [("T001-0001", ["T002-0001"], Why.MAC_VALID)]
        issuer.end(stolen=True)
        assert told(world) == [("T001-0001", ["T002-0001"], Why.MAC_VALID)]
        return
    (case,) = world.province.cases()
    assert {c.id.terminal: c.finding for c in (*case.counted, *case.losers)} == {
        1: Finding.VALID,
        2: None,
    }


def test_chip_of_another_family_wins_no_double_for_good(world: SyncWorld) -> None:
    issuer = IssuerCheck(world)
    family = world.homes_2[0]
    verdict = redeem(world, world.one, family, whose=world.homes_1[0])
    world.take(world.two, family)
    arrive(world, "one")
    arrive(world, "two")
    world.province.macs.take(issuer.file(verdict))
    settle(world)
    assert told(world) == [("T002-0001", ["T001-0001"], Why.MAC_INVALID)]


def test_late_verdict_does_not_choose_among_late_records(world: SyncWorld) -> None:
    """Of two late records one fits the right; which one is theirs to say, not a verdict's."""
    issuer = IssuerCheck(world)
    settle(world)
    family = world.homes_2[0]
    verdict = redeem(world, world.one, family)
    world.take(world.two, family)
    arrive(world, "one")
    arrive(world, "two")
    assert told(world) == STOOD
    world.province.macs.take(issuer.file(verdict))
    assert told(world) == STOOD


def test_later_ledger_that_lowers_a_right_accuses_nobody_of_a_settled_window() -> None:
    right = Right(b"8 bytes.", 0, 1, 1)
    held = Claim(RedemptionId(1, 1, 1), bytes(32), 2, True, Basis.HOME)
    late = dataclasses.replace(held, id=RedemptionId(2, 1, 1), late=True)
    assert _settled_case(right, 1, [held], None) is None
    case = _settled_case(right, 1, [late, held], None)
    assert case is not None
    assert (case.counted, case.losers, case.why) == ((held,), (late,), Why.SETTLED)


@given(damage=st.integers(0, 600), bit=st.integers(0, 7))
def test_settlement_with_a_changed_bit_is_refused(damage: int, bit: int) -> None:
    case = StandingCase(
        b"8 bytes.", 0, (Standing(2, 1, 1, bytes(8)),), (Standing(1, 1, 1, bytes(8)),), "home"
    )
    marks = (Mark(1, 1, 2, bytes(32)),)
    said = Settlement("khb-settlement-3", 1, 1, 5, 9, marks, (Named(1, 1, 2),), (case,))
    signed = bytearray(write(said, LOG))
    assert read(bytes(signed), lambda _kid: LOG.public) == said
    signed[damage % len(signed)] ^= 1 << bit
    with pytest.raises(RecordError):
        read(bytes(signed), {LOG.public.kid: LOG.public}.get)
