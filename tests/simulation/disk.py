"""A disk that forgets what was not synced: an SQLite VFS over real files.

Every write goes through to the file at once, as the page cache makes it, and what it replaced is
kept until the file is synced. A power cut takes everything since back, then lets any part of it
survive after all: sectors of 512 bytes, in any choice. That a file was made or removed is not
undone.
"""

from __future__ import annotations

import random
import sqlite3
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import apsw

from ledger.database import BUSY_SECONDS
from tests.simulation.as_sqlite3 import AsSqlite3, translated

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a file that no sync has reached: what stood there, and what was written.

    Attributes:
        new: what was written; None when the file was cut to ``at`` bytes.
        size: of the file before.
    """

    at: int
    old: bytes
    new: bytes | None
    size: int


@dataclass
class Faults:
    """What goes wrong next. Calls that change a file are counted from here on.

    Attributes:
        cut_at: the power goes at that call.
        fail_at: that call fails, and only that one, with the result code ``error``.
        room: bytes by which files may still grow; None for plenty.
        lies: a sync answers without syncing.
    """

    calls: int = 0
    cut_at: int | None = None
    fail_at: int | None = None
    error: int = apsw.SQLITE_IOERR_WRITE
    room: int | None = None
    lies: bool = False


class Disk:
    """One machine's disk, known to SQLite by its name."""

    _made = 0

    def __init__(self, chance: random.Random) -> None:
        Disk._made += 1
        self.name = f"disk-{Disk._made}"
        self.faults = Faults()
        self.off = False
        self._ending = False
        self._chance = chance
        self._changes: dict[str, list[Change]] = {}
        self._open: weakref.WeakSet[AsSqlite3] = weakref.WeakSet()
        self._vfs = _Vfs(self)

    def connect(self, path: Path, *, reading: bool) -> sqlite3.Connection:
        """What ``ledger.database.connect`` gives, on this disk."""
        flags = apsw.SQLITE_OPEN_READONLY if reading else apsw.SQLITE_OPEN_READWRITE
        try:
            inner = apsw.Connection(str(path), flags=flags, vfs=self.name)
        except apsw.Error as error:
            raise translated(error) from error
        inner.set_busy_timeout(BUSY_SECONDS * 1000)
        opened = AsSqlite3(inner)
        self._open.add(opened)
        return opened  # type: ignore[return-value]

    def cut(self) -> None:
        """The power goes: every process is gone, and with it what no sync has reached."""
        self.off, self._ending = True, True
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        for name, changes in self._changes.items():
            if Path(name).exists():
                with Path(name).open("r+b") as file:
                    self._fall_back(file, changes)
            Path(name.removesuffix("-wal") + "-shm").unlink(missing_ok=True)
        self._changes = {}
        self.off, self._ending, self.faults = False, False, Faults()

    def unsynced(self) -> int:
        """Changes that a power cut now could take back."""
        return sum(len(changes) for changes in self._changes.values())

    def _fall_back(self, file: BinaryIO, changes: list[Change]) -> None:
        for change in reversed(changes):
            file.seek(change.at)
            file.write(change.old)
            file.truncate(change.size)
        kept = self._chance.choice((0.0, 0.5, 0.9, 1.0))
        for change in changes:
            if change.new is None:
                if self._chance.random() < kept:
                    file.truncate(change.at)
                continue
            for offset in range(0, len(change.new), SECTOR):
                if self._chance.random() < kept:
                    file.seek(change.at + offset)
                    file.write(change.new[offset : offset + SECTOR])

    def changing(self, *, growth: int = 0) -> bool:
        """One call that changes a file goes wrong here, if it does; False while it is going off."""
        faults = self.faults
        if self._ending:
            return False
        faults.calls += 1
        if faults.cut_at is not None and faults.calls >= faults.cut_at:
            self.off = True
        if self.off:
            raise apsw.exception_for(apsw.SQLITE_IOERR)
        if faults.fail_at == faults.calls:
            raise apsw.exception_for(faults.error)
        if growth and faults.room is not None:
            if growth > faults.room:
                raise apsw.exception_for(apsw.SQLITE_FULL)
            faults.room -= growth
        return True

    def note(self, name: str, change: Change) -> None:
        """Remember what a power cut takes back."""
        self._changes.setdefault(name, []).append(change)

    def synced(self, name: str) -> None:
        """What was written so far stays."""
        if not self.faults.lies:
            self._changes.pop(name, None)


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = weakref.ref(disk)
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802
        return _File(self._disk(), name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        disk = self._disk()
        if disk is not None and disk.changing():
            super().xDelete(name, syncdir)
            disk.synced(name)


class _File(apsw.VFSFile):
    def __init__(self, disk: Any, name: Any, flags: Any) -> None:
        self._disk: Disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        size = super().xFileSize()
        if not self._disk.changing(growth=max(0, offset + len(data) - size)):
            return
        old = super().xRead(min(len(data), size - offset), offset) if offset < size else b""
        super().xWrite(data, offset)
        self._disk.note(self._path, Change(offset, old, bytes(data), size))

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.changing():
            self._disk.synced(self._path)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        if not self._disk.changing():
            return
        before = super().xFileSize()
        old = super().xRead(before - size, size) if size < before else b""
        super().xTruncate(size)
        self._disk.note(self._path, Change(size, old, None, before))
