"""How a journal's file is opened: the one seam at which tests bring a disk of their own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_SECONDS = 10


def connect(path: Path, *, reading: bool) -> sqlite3.Connection:
    """Open an existing database; transactions are begun and ended by the caller alone.

    Args:
        path: the file.
        reading: open it so that nothing can be written, as the agent does.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if reading else 'rw'}",
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
