"""The in-box: bytes somebody brought. Read without trusting names, links, kinds or sizes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

BASE_URL = "inbox:/"
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%-]{0,199}")
CHUNK = 64 * 1024
FILES_MAX = 2000
"""More acknowledgements than this are not looked at in one act."""


def read_brought(in_box: Path, relative: str, *, size_max: int) -> bytes | None:
    """Read one regular file of the in-box; None when there is no such file.

    Links, pipes, devices and files over ``size_max`` bytes count as not there.
    """
    handle = _open(in_box, relative)
    if handle is None:
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(size_max + 1)
    return data if len(data) <= size_max else None


def list_brought(in_box: Path, directory: str) -> list[str]:
    """Names of plain files in one directory of the in-box, at most ``FILES_MAX``."""
    try:
        if (in_box / directory).is_symlink():
            return []
        with os.scandir(in_box / directory) as found:
            names = [f.name for _, f in zip(range(FILES_MAX), found, strict=False)]
    except OSError:
        return []
    return sorted(f"{directory}/{name}" for name in names if PART.fullmatch(name))


class InBoxFetcher(FetcherInterface):
    """Lets python-tuf read the in-box as if it were a repository on the network."""

    def __init__(self, in_box: Path) -> None:
        self._in_box = in_box

    def _fetch(self, url: str) -> Iterator[bytes]:
        handle = _open(self._in_box, unquote(url.removeprefix(BASE_URL)))
        if handle is None:
            raise DownloadHTTPError(f"{url} was not brought", 404)
        return _chunks(handle)


def _chunks(handle: int) -> Iterator[bytes]:
    with os.fdopen(handle, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _open(in_box: Path, relative: str) -> int | None:
    """Open step by step, never through a link; only a regular file is returned."""
    parts = relative.split("/")
    if not all(PART.fullmatch(part) for part in parts):
        return None
    directory = None
    try:
        directory = os.open(in_box, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            step = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = step
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(parts[-1], flags, dir_fd=directory)
    except OSError:
        return None
    finally:
        if directory is not None:
            os.close(directory)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return None
