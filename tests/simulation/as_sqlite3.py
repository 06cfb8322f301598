"""A connection of apsw that answers as one of the standard library's sqlite3 does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import apsw


class AsSqlite3:
    """As much of ``sqlite3.Connection`` as a journal uses."""

    def __init__(self, inner: apsw.Connection) -> None:
        self._inner = inner

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def execute(self, sql: str, values: Any = ()) -> _Rows:
        try:
            return _Rows(self._inner, self._inner.execute(sql, tuple(values)))
        except apsw.Error as error:
            raise translated(error) from error

    def executemany(self, sql: str, rows: Iterable[Any]) -> _Rows:
        try:
            return _Rows(self._inner, self._inner.executemany(sql, [tuple(row) for row in rows]))
        except apsw.Error as error:
            raise translated(error) from error

    def close(self) -> None:
        with suppress(apsw.Error):
            self._inner.close(True)


class _Rows:
    def __init__(self, inner: apsw.Connection, cursor: apsw.Cursor) -> None:
        self.rowcount = inner.changes()
        self._cursor = cursor

    def fetchone(self) -> Any:
        try:
            return self._cursor.fetchone()
        except apsw.Error as error:
            raise translated(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return self._cursor.fetchall()
        except apsw.Error as error:
            raise translated(error) from error

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


OPERATIONAL = (
    apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError, apsw.CantOpenError,
    apsw.ReadOnlyError, apsw.InterruptError, apsw.ProtocolError, apsw.NoMemError,
)  # fmt: skip


def translated(error: apsw.Error) -> sqlite3.Error:
    """The error that the standard library raises in its place, with its code."""
    code = getattr(error, "result", apsw.SQLITE_ERROR)
    if isinstance(error, OPERATIONAL):
        kind: type[sqlite3.Error] = sqlite3.OperationalError
    elif isinstance(error, apsw.ConstraintError):
        kind = sqlite3.IntegrityError
    else:
        kind = sqlite3.DatabaseError
    told = kind(str(error))
    told.sqlite_errorcode = code
    return told
