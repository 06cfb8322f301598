"""What every command of the counter begins with: its folder, a PIN, digits that were typed."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from ledger.day_room import DayRoom, find_room
from ledger.errors import CustodyError
from ledger.folder import TerminalFolder, open_folder
from ledger.locked_key import PIN_LENGTH_MAX
from ledger.look_up import TYPED_LENGTH_MAX
from terminal.counter import Counter, open_counter
from terminal.errors import WrongRequestError
from terminal.init import ensure_journal


def open_for_use(config: Path, *, serving: bool = False) -> Counter:
    """The counter of a configuration, with its journal made if it is new.

    Raises:
        LedgerError: the folder, the key or the journal cannot be used.
    """
    folder = open_folder(config)
    ensure_journal(folder)
    return open_counter(folder, serving=serving, room=find_room(folder.root))


def room_of(folder: TerminalFolder) -> DayRoom:
    """Where the day's key may lie.

    Raises:
        CustodyError: this system keeps no folder in memory.
    """
    room = find_room(folder.root)
    if room is None:
        raise CustodyError(
            "this system keeps no folder in memory (/dev/shm or /run/user) for the day's key;"
            " mount a tmpfs there"
        )
    return room


def read_pin(path: Path) -> str:
    """The first line of a file.

    Raises:
        WrongRequestError: no such file, or not a PIN.
    """
    try:
        with path.open("rb") as file:
            data = file.read(4 * PIN_LENGTH_MAX + 2)
        return data.split(b"\n", 1)[0].decode("utf-8").rstrip("\r")
    except OSError as error:
        raise WrongRequestError(
            f"cannot read {path}: {error.strerror}; check --pin-file"
        ) from error
    except UnicodeDecodeError as error:
        raise WrongRequestError(f"{path} is no text; check --pin-file") from error


def read_typed() -> str:
    """The digits on stdin: never an argument, which every user of the machine could read."""
    if sys.stdin.isatty():
        return getpass("NIK / No. KK: ")
    return sys.stdin.readline(TYPED_LENGTH_MAX + 2).rstrip("\r\n")
