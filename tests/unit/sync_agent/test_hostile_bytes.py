"""What comes damaged through the door is refused by name, and nothing of it is stored."""

import pytest

from ledger.entry import Opened
from sync_agent.errors import IntakeRefusedError
from sync_agent.province.store import Store
from tests.store_dump import dumped
from tests.sync_world import SyncWorld, batch_of

CODES = {"malformed", "bad_signature", "not_enrolled", "broken_chain"}


def morning(world: SyncWorld) -> bytes:
    world.record(world.one, Opened("pagi"))
    for household in world.homes_1:
        world.take(world.one, household)
    return batch_of(world.one)


def take(world: SyncWorld, data: bytes) -> bool:
    """Whether it was taken; if not, it was refused by a name that is documented."""
    try:
        world.province.take(data, road="stick")
    except IntakeRefusedError as refused:
        code = refused.code
    else:
        return True
    assert code in CODES
    return False


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
def test_batch_with_any_bit_flipped_is_stored_whole_or_not_at_all(
    world: SyncWorld, bit: int
) -> None:
    good = morning(world)
    store = Store(world.province_folder.store_url)
    empty = dumped(store)
    taken_whole = 0
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1 << bit
        if take(world, bytes(changed)):  # the same entries, compressed in another spelling
            taken_whole += 1
            assert world.province.head(1, 1).seq == 4
        elif not taken_whole:
            assert dumped(store) == empty
    assert taken_whole < 5, "a signature is not looked at"
    world.province.take(good, road="stick")
    held = dumped(store)
    assert [row[2] for row in held["entry"]] == [1, 2, 3, 4]
    assert (held["fork"], held["missing"]) == ([], [])
    store.close()


def test_batch_cut_at_every_byte_stores_nothing(world: SyncWorld) -> None:
    good = morning(world)
    store = Store(world.province_folder.store_url)
    empty = dumped(store)
    for length in range(len(good)):
        assert not take(world, good[:length])
    assert dumped(store) == empty
    store.close()
