"""Custody of a terminal's sealing key: in files here; a TPM is another ``KeyCustody``.

The key lies on the disk locked under the day's PIN. Opening the day unlocks it into memory, closing
the day wipes it there. A wrong PIN is answered more and more slowly, which holds up a hand at the
keyboard; a thief of the disk pays the price of ``ledger.locked_key`` for each guess instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from ledger.clock import Clock, Reading
from ledger.day_room import DayRoom
from ledger.errors import ClosedError, CustodyError, FolderError, RecordError, WrongPinError
from ledger.folder import TerminalFolder, write_whole
from ledger.locked_key import STRONG, PinCost, check_pin, lock_key, unlock_key
from ledger.look_up import KEY_BYTES, make_tag
from ledger.sealing import SealingKey, new_sealing_key, sealing_key, unseal

FREE_TRIES = 5
WAIT_SECONDS, WAIT_SECONDS_MAX = 60, 3600
KEY_FILE_MAX = 1024


class KeyCustody(Protocol):
    """Uses the sealing key without giving it away. A TPM or a smart card fits behind it."""

    def is_open(self) -> bool:
        """Whether the key can be used now."""
        ...

    def unseal(self, sealed: bytes) -> bytes:
        """Open a file that was sealed to this terminal.

        Raises:
            ClosedError: the day is not open.
            RecordError: it is damaged, or sealed to another terminal.
        """
        ...

    def tag(self, wrapped: bytes, stretched: bytes) -> bytes:
        """The tag of a number, by a look-up key that is used in custody alone.

        Raises:
            ClosedError: the day is not open.
            RecordError: the look-up key is damaged, or sealed to another terminal.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenedCustody:
    """A key that a caller has unlocked and holds in its own memory."""

    key: SealingKey | None

    def is_open(self) -> bool:
        """Whether there is a key."""
        return self.key is not None

    def unseal(self, sealed: bytes) -> bytes:
        """Open a file that was sealed to this terminal."""
        if self.key is None:
            raise ClosedError("the day is not open; open it with betang-terminal open-day")
        return unseal(sealed, self.key)

    def tag(self, wrapped: bytes, stretched: bytes) -> bytes:
        """Make a tag with a look-up key."""
        key = self.unseal(wrapped)
        if len(key) != KEY_BYTES:
            raise RecordError("a look-up key has not 32 bytes; ask the office to publish again")
        return make_tag(key, stretched)


@dataclass(frozen=True, slots=True)
class FileCustody:
    """The key of the day as the room holds it; without a room the day is never open."""

    room: DayRoom | None
    clock: Clock

    def is_open(self) -> bool:
        """Whether the day is open."""
        return self._now().is_open()

    def unseal(self, sealed: bytes) -> bytes:
        """Open a file that was sealed to this terminal."""
        return self._now().unseal(sealed)

    def tag(self, wrapped: bytes, stretched: bytes) -> bytes:
        """Make a tag with a look-up key."""
        return self._now().tag(wrapped, stretched)

    def _now(self) -> OpenedCustody:
        return OpenedCustody(self.room.key(self.clock.read()) if self.room else None)


def make_sealing_key(
    keys: Path, pin: str, *, randomness: Callable[[int], bytes], cost: PinCost = STRONG
) -> Path:
    """Make a terminal's sealing key in its folder of keys; only the public half leaves it.

    Returns:
        The public half's file, for the office.

    Raises:
        FolderError: there is one already; it is never replaced.
        CustodyError: the PIN is none.
    """
    private, public = keys / "sealing.locked", keys / "sealing.pub"
    if private.exists():
        raise FolderError(f"{private} exists already; a sealing key is never replaced")
    key = new_sealing_key()
    locked = lock_key(key.identity, pin, randomness=randomness, cost=cost)
    write_whole(public, f"{key.recipient}\n".encode())
    write_whole(private, locked, mode=0o600)
    return public


def open_day(folder: TerminalFolder, room: DayRoom, pin: str, reading: Reading) -> None:
    """Unlock the sealing key for the day.

    Raises:
        WrongPinError: not the PIN, or too many wrong ones were tried.
        CustodyError: this terminal has no sealing key, or it is damaged.
    """
    room.put(unlock(folder, pin, reading), reading)


def unlock(folder: TerminalFolder, pin: str, reading: Reading) -> SealingKey:
    """The sealing key, for a caller that keeps it in its own memory; tries are counted.

    Raises:
        WrongPinError: not the PIN, or too many wrong ones were tried.
        CustodyError: this terminal has no sealing key, or it is damaged.
    """
    check_pin(pin)
    locked = _read(folder.sealing_key)
    tries = Tries(folder.sealing_key.with_suffix(".tries"))
    tries.begin(reading)
    try:
        key = sealing_key(unlock_key(locked, pin))
    except RecordError as error:
        raise CustodyError(
            f"{folder.sealing_key} is damaged; make a new key and give it to the office"
        ) from error
    tries.forget()
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_FILE_MAX + 1)
    except OSError as error:
        raise CustodyError(
            f"no sealing key at {path}; make one with betang-terminal init --pin-file and let the"
            " office enrol it"
        ) from error


class _Tried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wrong: int
    wall: int
    boottime: int
    boot_id: str


class Tries:
    """How many wrong PINs in a row, on the disk, so that starting anew forgets none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, reading: Reading) -> None:
        """Count a try before it is made; the right PIN forgets it.

        Raises:
            WrongPinError: not yet: too many wrong ones were tried.
        """
        tried = self._tried()
        wrong = tried.wrong if tried else 0
        wait = _wait(wrong) - _since(tried, reading) if tried else 0
        if wait > 0:
            raise WrongPinError(
                f"{wrong} wrong PINs were tried; wait {wait} seconds, then type it with care"
            )
        tried = _Tried(wrong + 1, reading.wall, reading.boottime, reading.boot_id.hex())
        write_whole(self._path, msgspec.json.encode(tried), mode=0o600)

    def forget(self) -> None:
        """The PIN was right."""
        self._path.unlink(missing_ok=True)

    def _tried(self) -> _Tried | None:
        try:
            with self._path.open("rb") as file:
                return msgspec.json.decode(file.read(KEY_FILE_MAX), type=_Tried)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError):
            # Whoever damages the count must wait as for many.
            found = int(os.path.getmtime(self._path))
            return _Tried(FREE_TRIES + 6, found, 0, "")


def _wait(wrong: int) -> int:
    """Seconds before the next try: none for the first five wrong ones, then twice as long each."""
    if wrong < FREE_TRIES:
        return 0
    return int(min(WAIT_SECONDS_MAX, WAIT_SECONDS * 2 ** min(wrong - FREE_TRIES, 10)))


def _since(tried: _Tried, reading: Reading) -> int:
    """Seconds since the last try: by boot time where it can tell, else by the wall."""
    if tried.boot_id == reading.boot_id.hex() and reading.boottime >= tried.boottime:
        return reading.boottime - tried.boottime
    return max(0, reading.wall - tried.wall)
