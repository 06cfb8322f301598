"""A folder that anyone may have written: a USB stick, a shared folder.

Every step goes through a directory handle and never through a link; only regular files are read,
up to a limit; only so many names are looked at. What is written is read back before it counts.
Layout: docs/spec/batch.md.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sync_agent.errors import StickError

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\Z")
NAMES_MAX = 50_000
"""A directory with more names than this is refused, not walked."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Stick:
    """One such folder."""

    def __init__(self, root: Path) -> None:
        """Name the folder.

        Raises:
            StickError: there is no such folder.
        """
        if not root.is_dir():
            raise StickError(f"there is no folder {root}; put the stick in or make the folder")
        self.root = root

    def read(self, path: str, *, size_max: int) -> bytes | None:
        """Read a regular file; None when there is none.

        Raises:
            StickError: a link, a pipe, a device, or larger than ``size_max`` bytes.
        """
        with self._opened(path) as opened:
            if opened is None:
                return None
            directory, name = opened
            try:
                # Looked at before it is opened: to open a device can already be an act.
                look = os.stat(name, dir_fd=directory, follow_symlinks=False)
                handle = os.open(name, _FILE, dir_fd=directory) if _plain(look) else None
            except FileNotFoundError:
                return None
            except OSError as error:
                raise self._unfit(path, error) from error
            if handle is None:
                raise StickError(f"{path} on {self.root} is not a plain file; remove it")
            with os.fdopen(handle, "rb") as file:
                data = file.read(size_max + 1) if _plain(os.fstat(handle)) else b""
        if len(data) > size_max:
            raise StickError(f"{path} on {self.root} is larger than it may be; remove it")
        return data

    def names(self, path: str) -> list[str]:
        """Names in a directory that can be ours, sorted; none when it is not there.

        Raises:
            StickError: the directory is a link, or holds too many names.
        """
        with self._opened(f"{path}/x") as opened:
            if opened is None:
                return []
            found = []
            with os.scandir(opened[0]) as entries:
                for count, entry in enumerate(entries):
                    if count >= NAMES_MAX:
                        raise StickError(f"{path} on {self.root} holds too many files; empty it")
                    if PART.match(entry.name):
                        found.append(entry.name)
        return sorted(found)

    def write(self, path: str, data: bytes) -> bool:
        """Lay a file down whole and read it back; False when it lay there already.

        Raises:
            StickError: the stick is full, read-only, broken, or a link stands in the way.
        """
        if self._holds(path, data):
            return False
        with self._opened(path, make=True) as opened:
            assert opened is not None, "a directory that is made is there"
            directory, name = opened
            try:
                self._write_in(directory, name, data)
            except OSError as error:
                raise self._unfit(path, error) from error
        if not self._holds(path, data):
            raise StickError(f"{self.root} gave back other bytes than were written; use another")
        return True

    def remove(self, path: str) -> None:
        """Take a file of ours off the stick; it may be gone already."""
        with self._opened(path) as opened:
            if opened is not None:
                try:
                    os.unlink(opened[1], dir_fd=opened[0])
                except FileNotFoundError:
                    return
                except OSError as error:
                    raise self._unfit(path, error) from error

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self.read(path, size_max=len(data)) == data
        except StickError:
            return False

    @staticmethod
    def _write_in(directory: int, name: str, data: bytes) -> None:
        passing = f".writing-{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(passing, flags, 0o644, dir_fd=directory)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                # So that it is read back from the stick, and not from memory.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.rename(passing, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        except BaseException:
            with suppress(OSError):  # it bears its name already, or the stick is gone
                os.unlink(passing, dir_fd=directory)
            raise

    @contextmanager
    def _opened(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str] | None]:
        """The directory of a path, opened step by step, and the last name."""
        *steps, name = path.split("/")
        if not all(PART.match(part) for part in (*steps, name)):
            raise StickError(f"{path[:80]!r} is not a name that may stand on a stick")
        try:
            directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unfit(str(self.root), error) from error
        try:
            for depth, step in enumerate(steps, 1):
                try:
                    following = _step(directory, step, make=make)
                except OSError as error:
                    raise self._unfit("/".join(steps[:depth]), error) from error
                if following is None:
                    yield None
                    return
                os.close(directory)
                directory = following
            yield directory, name
        finally:
            os.close(directory)

    def _unfit(self, path: str, error: OSError) -> StickError:
        link = error.errno in {errno.ELOOP, errno.ENOTDIR}
        why = "a link or a file stands in its way" if link else error.strerror
        return StickError(f"{path} on {self.root} cannot be used: {why}; use another stick")


def _step(directory: int, step: str, *, make: bool) -> int | None:
    if make:
        with suppress(FileExistsError):
            os.mkdir(step, 0o755, dir_fd=directory)
            os.fsync(directory)
    with suppress(FileNotFoundError):
        return os.open(step, _DIRECTORY, dir_fd=directory)
    return None


def _plain(look: os.stat_result) -> bool:
    return stat.S_ISREG(look.st_mode)
