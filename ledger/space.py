"""Room on the disk: a gate before it is full, and a reserve to say so when it is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

ROOM_MIN = 50 * 1024 * 1024
"""Below so many bytes nothing is given any more: the journal must not be the one to find out."""
RESERVE_BYTES = 256 * 1024
"""Enough for the entry that seals, with the pages its act touches."""


class Room(Protocol):
    """The seam: how many bytes may still be written where a folder lies."""

    def __call__(self, folder: Path) -> int:
        """Bytes free to this user."""
        ...


def free_bytes(folder: Path) -> int:
    """Bytes free to this user on the disk of a folder; 0 when it cannot be told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class Reserve:
    """A file that takes room up so that it can be given back."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lay(self) -> bool:
        """Write it where it is missing or short; False when there is no room for it."""
        try:
            if self._is_laid():
                return True
            # Written, not cut to length: a file of holes takes up no room.
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                data = bytes(RESERVE_BYTES)
                if os.write(handle, data) < len(data):
                    raise OSError("no room")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError:
            self.give_back()
            return False
        return True

    def _is_laid(self) -> bool:
        try:
            return os.stat(self.path).st_size >= RESERVE_BYTES
        except FileNotFoundError:
            return False

    def give_back(self) -> None:
        """Let go of the room."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
