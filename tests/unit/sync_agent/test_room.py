"""No more bytes are in hand than there is room for, and nobody waits for ever."""

import asyncio
from contextlib import ExitStack

import pytest

from sync_agent.errors import IntakeRefusedError
from sync_agent.province.room import Room, Turns


def test_uploads_together_never_hold_more_than_the_room() -> None:
    held = most = 0

    async def upload(room: Room, size: int) -> None:
        nonlocal held, most
        async with room.held(size):
            held += size
            most = max(most, held)
            await asyncio.sleep(0)
            held -= size

    async def all_at_once() -> None:
        room = Room(100)
        await asyncio.gather(*(upload(room, 1 + n * 7 % 60) for n in range(300)))

    asyncio.run(all_at_once())
    assert 60 < most <= 100
    assert held == 0


def test_large_one_is_let_in_before_small_ones_that_came_later() -> None:
    order = []

    async def upload(room: Room, size: int) -> None:
        async with room.held(size):
            order.append(size)
            await asyncio.sleep(0.001)

    async def in_order() -> None:
        room = Room(10)
        await asyncio.gather(*(upload(room, size) for size in (6, 10, 1, 1)))

    asyncio.run(in_order())
    assert order == [6, 10, 1, 1]


def test_more_than_there_is_waits_for_all_of_it() -> None:
    async def alone() -> None:
        room = Room(10)
        async with room.held(1_000):
            pass
        async with room.held(10):
            pass

    asyncio.run(alone())


def test_who_goes_away_while_waiting_gives_its_place_up() -> None:
    async def gone() -> None:
        room = Room(10)
        async with room.held(10):
            waiting = [asyncio.create_task(_hold(room)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert room._free == 10
        async with asyncio.timeout(1):
            await _hold(room)

    asyncio.run(gone())


async def _hold(room: Room) -> None:
    async with room.held(10):
        pass


def test_uploads_of_one_terminal_that_stall_keep_no_other_out() -> None:
    turns = Turns(most=2)
    with ExitStack() as stalled:
        for _ in range(2):
            stalled.enter_context(turns.taken((1, 1)))
        with pytest.raises(IntakeRefusedError, match="2 uploads of this terminal") as refused:
            stalled.enter_context(turns.taken((1, 1)))
        assert (refused.value.status, refused.value.code) == (429, "too_many")
        for other in ((1, 2), (2, 1)):
            with turns.taken(other):
                pass
    for _ in range(3):
        with turns.taken((1, 1)):
            pass
    assert turns._under_way == {}
