"""Where the day's opened key lies: in memory, never on a disk, and gone with the power.

Several programs of one terminal serve on one day (the page, a command), so the opened key is a
file of a folder that the system keeps in memory (tmpfs), readable by its owner alone. Closing the
day overwrites it. What the system swaps out is told by ``betang-terminal contents``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ledger.clock import Reading
from ledger.errors import CustodyError, RecordError
from ledger.folder import write_whole
from ledger.sealing import SealingKey, sealing_key

DAY_SECONDS_MAX = 24 * 3600
"""A day that nobody closed ends by itself."""
IN_MEMORY = ("tmpfs", "ramfs")
MOUNTS = Path("/proc/self/mounts")
ROOM_BYTES_MAX = 1024


class _Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    identity: str
    boottime: int


@dataclass(frozen=True, slots=True)
class DayRoom:
    """The place of one terminal's opened key. The folder must be kept in memory."""

    path: Path

    def put(self, key: SealingKey, reading: Reading) -> None:
        """Keep the key for the day.

        Raises:
            CustodyError: the folder is somebody else's.
            FolderError: the system refused.
        """
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        _check_own(self.path.parent)
        opened = _Opened(key.identity, reading.boottime)
        write_whole(self.path, msgspec.json.encode(opened), mode=0o600)

    def key(self, reading: Reading) -> SealingKey | None:
        """The day's key; None when the day is closed, or was opened a day ago and is closed now."""
        if not os.access(self.path, os.R_OK):  # asked at every act, and mostly it is closed
            return None
        try:
            with self.path.open("rb") as file:
                opened = msgspec.json.decode(file.read(ROOM_BYTES_MAX), type=_Opened)
            key = sealing_key(opened.identity)
        except (OSError, msgspec.MsgspecError, RecordError):
            return None
        # Boot time: the room does not outlive a boot, and the wall clock may be moved.
        if not 0 <= reading.boottime - opened.boottime < DAY_SECONDS_MAX:
            self.wipe()
            return None
        return key

    def wipe(self) -> bool:
        """Overwrite the key and take it away; False when there was none."""
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
        except OSError:
            return False
        with suppress(OSError):
            self.path.unlink()
        return True


def find_room(folder: Path) -> DayRoom | None:
    """The room of the terminal in this folder; None where the system keeps no folder in memory.

    It is the same for a service and for a shell of the same user, so no variable of a session
    counts, and the folder of a session, which goes with it, comes last.
    """
    uid = os.getuid()
    for root in (Path("/dev/shm"), Path(f"/run/user/{uid}")):  # noqa: S108 - kept in memory
        if os.access(root, os.W_OK) and is_in_memory(root):
            name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
            return DayRoom(root / f"betang-{uid}" / name)
    return None


def is_in_memory(path: Path, mounts: Iterable[str] | None = None) -> bool:
    """Whether the file system under a path is one that never reaches a disk of its own."""
    lines = MOUNTS.read_text("utf-8", "replace").splitlines() if mounts is None else mounts
    found, kind = Path(), ""
    resolved = path.resolve()
    for line in lines:
        fields = line.split(" ")
        at = Path(fields[1]) if len(fields) > 2 else Path()
        if resolved.is_relative_to(at) and len(at.parts) >= len(found.parts):
            found, kind = at, fields[2]
    return kind in IN_MEMORY


def _check_own(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CustodyError(f"{folder} is open to others; remove it and open the day again")
