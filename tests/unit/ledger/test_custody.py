"""The sealing key: locked on the disk, open in memory for the day, wiped at its close."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from ledger.custody import FREE_TRIES, WAIT_SECONDS, WAIT_SECONDS_MAX, FileCustody, open_day
from ledger.day_room import DAY_SECONDS_MAX, find_room, is_in_memory
from ledger.errors import ClosedError, CustodyError, FolderError, RecordError, WrongPinError
from ledger.folder import TerminalFolder
from ledger.locked_key import STRONG, read_locked
from ledger.look_up import make_tag
from ledger.sealing import new_sealing_key, read_recipient, seal, sealing_key, unseal
from terminal.init import add_sealing_key
from tests.world import CHEAP_PIN, PIN, FakeClock, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def folder(world: World) -> TerminalFolder:
    return world.terminal("Satu")


def _recipient(folder: TerminalFolder) -> str:
    return folder.sealing_public.read_text().strip()


def test_open_day_unseals_and_closing_it_ends_that(world: World, folder: TerminalFolder) -> None:
    custody = FileCustody(world.room(folder), world.clock)
    sealed = seal(b"names", [_recipient(folder)])
    with pytest.raises(ClosedError):
        custody.unseal(sealed)
    world.open_day(folder)
    assert custody.is_open()
    assert custody.unseal(sealed) == b"names"
    assert world.room(folder).wipe()
    assert not custody.is_open()
    assert not world.room(folder).wipe()
    with pytest.raises(ClosedError):
        custody.unseal(sealed)


def test_tag_is_made_with_a_key_that_never_leaves_custody(
    world: World, folder: TerminalFolder
) -> None:
    custody = FileCustody(world.room(folder), world.clock)
    key, stretched = bytes(range(32)), bytes(32)
    wrapped = seal(key, [_recipient(folder)])
    with pytest.raises(ClosedError):
        custody.tag(wrapped, stretched)
    world.open_day(folder)
    assert custody.tag(wrapped, stretched) == make_tag(key, stretched)
    with pytest.raises(RecordError):
        custody.tag(seal(b"short", [_recipient(folder)]), stretched)


def test_secret_half_is_nowhere_on_the_disk_while_closed(
    world: World, folder: TerminalFolder
) -> None:
    world.open_day(folder)
    key = world.room(folder).key(world.clock.read())
    assert key is not None
    secret = key.identity.encode()
    assert secret in world.room(folder).path.read_bytes()
    files = [path for path in folder.root.rglob("*") if path.is_file()]
    assert [path for path in files if secret in path.read_bytes()] == []
    assert os.stat(folder.sealing_key).st_mode & 0o777 == 0o600
    assert os.stat(world.room(folder).path).st_mode & 0o777 == 0o600


def test_wiping_overwrites_what_lay_there(world: World, folder: TerminalFolder) -> None:
    world.open_day(folder)
    room = world.room(folder)
    with room.path.open("rb") as held:
        before = held.read()
        room.wipe()
        held.seek(0)
        assert held.read() == bytes(len(before))
    assert not room.path.exists()


def test_day_that_nobody_closed_ends_by_itself(world: World, folder: TerminalFolder) -> None:
    world.open_day(folder)
    room = world.room(folder)
    world.clock.pass_time(DAY_SECONDS_MAX - 1)
    assert room.key(world.clock.read()) is not None
    world.clock.wall -= 10 * DAY_SECONDS_MAX  # the wall clock may be moved; boot time may not
    world.clock.boottime += 1
    assert room.key(world.clock.read()) is None
    assert not room.path.exists()


def test_damaged_room_is_a_closed_day(world: World, folder: TerminalFolder) -> None:
    world.open_day(folder)
    room = world.room(folder)
    for data in (b"", b"{}", b'{"identity":"AGE-SECRET-KEY-1","boottime":0}', bytes(2000)):
        room.path.write_bytes(data)
        assert room.key(world.clock.read()) is None


def test_room_open_to_others_is_refused(world: World, folder: TerminalFolder) -> None:
    world.open_day(folder)
    world.room(folder).path.parent.chmod(0o750)
    with pytest.raises(CustodyError, match="open to others"):
        world.open_day(folder)


def test_wrong_pin_opens_nothing_and_is_answered_ever_more_slowly(
    world: World, folder: TerminalFolder
) -> None:
    room, clock = world.room(folder), world.clock
    room.path.parent.mkdir(mode=0o700, exist_ok=True)

    def try_pin(pin: str) -> None:
        open_day(folder, room, pin, clock.read())

    for _ in range(FREE_TRIES):
        with pytest.raises(WrongPinError, match="does not open"):
            try_pin("999999")
    waits = []
    for _ in range(8):
        with pytest.raises(WrongPinError, match=r"wait (\d+) seconds") as told:
            try_pin(PIN)  # even the right one waits
        wait = int(str(told.value).split("wait ")[1].split()[0])
        waits.append(wait)
        clock.pass_time(wait - 1)
        with pytest.raises(WrongPinError, match="wait 1 seconds"):
            try_pin(PIN)
        clock.pass_time(1)
        with pytest.raises(WrongPinError, match="does not open"):
            try_pin("999999")
    assert waits == [min(WAIT_SECONDS * 2**n, WAIT_SECONDS_MAX) for n in range(8)]
    assert room.key(clock.read()) is None
    clock.pass_time(WAIT_SECONDS_MAX)
    try_pin(PIN)
    assert room.key(clock.read()) is not None
    with pytest.raises(WrongPinError, match="does not open"):
        try_pin("999999")  # counted from one again


def test_starting_anew_or_moving_the_clock_forgets_no_wrong_pin(
    world: World, folder: TerminalFolder
) -> None:
    room, clock = world.room(folder), world.clock
    room.path.parent.mkdir(mode=0o700, exist_ok=True)
    for _ in range(FREE_TRIES):
        with pytest.raises(WrongPinError):
            open_day(folder, room, "999999", clock.read())
    clock.wall += 1_000_000  # same boot: the wall does not count
    with pytest.raises(WrongPinError, match="wait"):
        open_day(folder, room, PIN, clock.read())
    clock.reboot(wall=clock.wall - 2_000_000)
    with pytest.raises(WrongPinError, match="wait"):
        open_day(folder, room, PIN, clock.read())
    tries = folder.sealing_key.with_suffix(".tries")
    tries.write_bytes(b"garbage")  # nor does damaging the count help
    with pytest.raises(WrongPinError, match="wait"):
        open_day(folder, room, PIN, FakeClock(int(tries.stat().st_mtime)).read())


@pytest.mark.parametrize("pin", ["", "12345", "x" * 65, "12345\n6", "pin\x00pin"])
def test_no_pin_is_refused_before_anything_is_written(tmp_path: Path, pin: str) -> None:
    with pytest.raises(CustodyError, match="6 to 64"):
        add_sealing_key(tmp_path, pin, randomness=secrets.token_bytes, cost=CHEAP_PIN)
    assert list(tmp_path.rglob("*")) == []


def test_key_is_never_replaced_unless_it_is_meant(world: World, folder: TerminalFolder) -> None:
    before = _recipient(folder)
    with pytest.raises(FolderError, match="never replaced"):
        add_sealing_key(folder.root, PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN)
    assert _recipient(folder) == before
    add_sealing_key(folder.root, PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN, anew=True)
    assert _recipient(folder) != before
    world.open_day(folder)


def test_without_a_key_or_with_a_damaged_one_the_day_stays_closed(
    world: World, folder: TerminalFolder
) -> None:
    whole = folder.sealing_key.read_bytes()
    for size in range(len(whole)):
        folder.sealing_key.write_bytes(whole[:size])
        with pytest.raises(CustodyError):
            world.open_day(folder)
        folder.sealing_key.with_suffix(".tries").unlink(missing_ok=True)
    folder.sealing_key.unlink()
    with pytest.raises(CustodyError, match="no sealing key"):
        world.open_day(folder)


def test_terminals_own_price_of_a_guess_is_the_strong_one(tmp_path: Path) -> None:
    add_sealing_key(tmp_path, PIN, randomness=secrets.token_bytes)
    locked = read_locked((tmp_path / "keys" / "sealing.locked").read_bytes())
    assert (locked.memory_kib, locked.passes) == (STRONG.memory_kib, STRONG.passes)
    assert STRONG.memory_kib >= 256 * 1024


def test_room_is_looked_for_only_where_the_system_keeps_folders_in_memory(tmp_path: Path) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0",
        "tmpfs /run tmpfs rw 0 0",
        "/dev/sdb1 /run/media/stick vfat rw 0 0",
        "broken",
    )
    assert is_in_memory(Path("/run/user/0"), mounts)
    assert not is_in_memory(Path("/run/media/stick/x"), mounts)
    assert not is_in_memory(Path("/home"), mounts)
    room = find_room(tmp_path)
    if room is not None:  # every Linux has one; a container may have none
        assert is_in_memory(room.path)
        assert room == find_room(tmp_path)
        assert room != find_room(tmp_path / "other")


def test_what_is_sealed_to_one_opens_for_no_other() -> None:
    mine, other = new_sealing_key(), new_sealing_key()
    sealed = seal(b"names", [mine.recipient])
    assert unseal(sealed, mine) == b"names"
    with pytest.raises(RecordError, match="another terminal"):
        unseal(sealed, other)
    both = seal(b"names", [mine.recipient, other.recipient])
    assert unseal(both, mine) == unseal(both, other) == b"names"


def test_sealed_bytes_cut_anywhere_or_with_any_bit_changed_do_not_open() -> None:
    key = new_sealing_key()
    sealed = seal(b"names of a village", [key.recipient])
    for size in range(len(sealed)):
        with pytest.raises(RecordError):
            unseal(sealed[:size], key)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(RecordError):
            unseal(bytes(changed), key)


def test_only_age_keys_in_their_one_form_are_taken() -> None:
    key = new_sealing_key()
    assert read_recipient(key.recipient) == key.recipient
    assert sealing_key(key.identity) == key
    assert key.identity not in repr(key)
    for text in ("", key.identity, key.recipient.upper(), key.recipient + " ", "x" * 5000):
        with pytest.raises(RecordError):
            read_recipient(text)
    for text in ("", key.recipient, key.identity[:-1], "x" * 5000):
        with pytest.raises(RecordError):
            sealing_key(text)
    with pytest.raises(RecordError):
        seal(b"names", [])
