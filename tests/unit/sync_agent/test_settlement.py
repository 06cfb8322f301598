"""Two weeks after its end a window's cases stand, and what comes later stands behind them."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import select

from card_codec.keys import PrivateKey
from ledger.errors import RecordError
from sync_agent.errors import ProvinceError
from sync_agent.province import schema
from sync_agent.province.cases import Why
from sync_agent.province.settlement import read, settlements
from sync_agent.province.store import Store
from tests.postgres import Server
from tests.sync_world import SyncWorld, batch_of


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


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
        assert settlements(db, [world.log.public])[1, 1] == {(1, 1): 1}
        stranger = PrivateKey.generate()
        with pytest.raises(RecordError):
            read(row.data, lambda _kid: stranger.public)
        with pytest.raises(ProvinceError, match="not as it was signed"):
            settlements(db, [stranger.public])
    store.close()
