"""Errors of SQLite, told as ours: what the disk refused, and what is damaged."""

from __future__ import annotations

import sqlite3

from ledger.errors import DiskFullError, JournalDamagedError, JournalError, NotSavedError


def translated(error: sqlite3.Error) -> JournalError:
    """Every SQLite error becomes one of ours at the journal's seam."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    # SQLITE_ERROR is no state of the disk: a table is missing, or a text does not decode.
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError(f"there is no room for the act ({error}); do not hand over")
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return NotSavedError(f"the disk did not take the act ({error}); do not hand over")
    return damaged(str(error))


def damaged(what: str) -> JournalDamagedError:
    """The journal does not hold together, and how."""
    return JournalDamagedError(f"the journal is damaged ({what}); stop service and run fsck")
