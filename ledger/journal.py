"""The journal: one terminal's append-only, hash-chained, signed record of what happened.

SQLite in WAL mode with ``synchronous=FULL``: an act that returned is on the disk. Deciding and
recording are one ``BEGIN IMMEDIATE`` transaction, so two counters on one terminal cannot both see
the same thing left.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from ledger import database
from ledger.acknowledgement import Acknowledgement
from ledger.act import Act, Head, Identity
from ledger.card_memory import CardMemory
from ledger.clock import Floors
from ledger.damage import damaged, translated
from ledger.element import RedemptionId
from ledger.entry import (
    Entry,
    Kind,
    check_head,
    genesis,
    read_entry,
)
from ledger.errors import JournalDamagedError, JournalError, RecordError
from ledger.floors import floors_of
from ledger.union import Known

VOID = int(Kind.VOID)
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=100",
    "PRAGMA journal_size_limit=1048576",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
)


_LAST = """
SELECT e.body, coalesce(c.by, e.seq) AS at FROM entry e LEFT JOIN committed c ON c.seq = e.seq
WHERE (e.kind = ?1 OR (e.kind = ?2 AND c.by IS NOT NULL))
AND NOT EXISTS (SELECT 1 FROM taken_back v WHERE v.terminal = ?3 AND v.epoch = ?4 AND v.seq = e.seq)
ORDER BY at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Last:
    """The newest redemption that stands.

    Attributes:
        at: number of the entry by which it was given: its own, or its chip's commit.
        handed_over: its goods went over the counter.
    """

    entry: Entry
    at: int
    handed_over: bool


class Journal:
    """One open journal. Use ``act`` to decide and record."""

    def __init__(self, connection: sqlite3.Connection, identity: Identity, path: Path) -> None:
        self.identity = identity
        self.path = path
        self._db = connection
        self._lock = threading.RLock()
        self._head: Head | None = None

    @contextmanager
    def act(self) -> Iterator[Act]:
        """One decision and its record, all or nothing, durable when it returns.

        Raises:
            NotSavedError: the disk refused; nothing of the act happened.
            JournalDamagedError: the database is corrupt.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                act = Act(self._db, self.identity, self._read_head())
                yield act
                self._db.execute("COMMIT")
                self._head = act.head
            except sqlite3.Error as error:
                raise translated(error) from error
            finally:
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):  # what went wrong first is what is told
                        self._db.execute("ROLLBACK")

    def known(self) -> Known:
        """The union as committed (for pages and reports; a decision uses its act)."""
        return Known(self._db, self.identity.terminal, self.identity.epoch)

    def head(self) -> Head:
        """The newest committed entry."""
        with self._lock:
            return self._read_head()

    def signed_run(
        self, start: int, limit: int = 500, *, through_void: bool = False
    ) -> tuple[list[Entry], bytes]:
        """Entries from ``start`` on, up to a signed head, and its signature; none when all is read.

        One signature covers an act, so a run ends where an act ended.

        Args:
            start: number of the first entry.
            limit: most entries.
            through_void: end with the first void too, so that its own signature comes along: other
                terminals believe it by that alone.
        """
        rows = self.rows(
            "SELECT body, signature, kind FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?",
            start,
            limit,
        )
        voids = (at for at, (_, signed, kind) in enumerate(rows, 1) if kind == VOID and signed)
        rows = rows[: next(voids, None)] if through_void else rows
        while rows and rows[-1][1] is None:
            rows.pop()
        return [_kept(body) for body, *_ in rows], rows[-1][1] if rows else b""

    def floors(self) -> Floors:
        """The newest signed times, offline and online."""
        with self._lock:
            try:
                return floors_of(self._db)
            except sqlite3.Error as error:
                raise translated(error) from error

    def leaf(self, seq: int) -> bytes | None:
        """Leaf hash of an entry, of 0 what the first one follows; None beyond the head."""
        if seq == 0:
            return genesis(self.identity.terminal, self.identity.epoch, self.identity.key)
        rows = self.rows(
            "SELECT leaf FROM entry WHERE seq = ? UNION ALL SELECT leaf FROM pruned WHERE seq = ?",
            seq,
            seq,
        )
        return bytes(rows[0][0]) if rows else None

    def pruned(self) -> int:
        """Number of the newest entry that was pruned; 0 when all are here."""
        rows = self.rows("SELECT seq FROM pruned")
        return int(rows[0][0]) if rows else 0

    def acknowledged(self) -> Acknowledgement | None:
        """The province's newest acknowledgement, or None."""
        rows = self.rows("SELECT seq, head, at FROM acknowledgement ORDER BY seq DESC LIMIT 1")
        if not rows:
            return None
        seq, head, at = rows[0]
        me = self.identity
        return Acknowledgement("khb-ack-2", me.terminal, me.epoch, seq, head, at)

    def acknowledgements(self) -> list[Acknowledgement]:
        """Every acknowledgement that was kept, the oldest first."""
        me = self.identity
        rows = self.rows("SELECT seq, head, at FROM acknowledgement ORDER BY seq")
        return [Acknowledgement("khb-ack-2", me.terminal, me.epoch, *row) for row in rows]

    def tail(self, count: int) -> list[tuple[Entry, bytes | None]]:
        """The newest entries, the oldest of them first, each with its head signature if any."""
        rows = self.rows("SELECT body, signature FROM entry ORDER BY seq DESC LIMIT ?", count)
        return [(_kept(body), signature) for body, signature in reversed(rows)]

    def last_redemption(self) -> Last | None:
        """The newest redemption that stands, and whether its goods were handed over."""
        me, kinds = self.identity, (int(Kind.REDEMPTION), int(Kind.PENDING))
        rows = self.rows(_LAST, *kinds, me.terminal, me.epoch)
        if not rows:
            return None
        entry, at = _kept(rows[0][0]), int(rows[0][1])
        given = self.rows(
            "SELECT 1 FROM entry WHERE seq > ? AND kind = ? LIMIT 1", at, int(Kind.HANDOVER)
        )
        return Last(entry, at, bool(given))

    def cards(self) -> CardMemory:
        """What is known of chips, as committed."""
        return CardMemory(self._db, self.identity.terminal, self.identity.epoch)

    def signature(self, seq: int) -> bytes:
        """The head signature of an entry; empty where another of its act carries it."""
        rows = self.rows("SELECT signature FROM entry WHERE seq = ?", seq)
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else b""

    def kinds(self, after: int) -> list[tuple[int, Kind, int]]:
        """(seq, kind, early) of every entry after a seq, for counting."""
        rows = self.rows("SELECT seq, kind, early FROM entry WHERE seq > ? ORDER BY seq", after)
        return [(seq, Kind(kind), early) for seq, kind, early in rows]

    def entry(self, seq: int) -> Entry | None:
        """The entry of that seq, or None."""
        rows = self.rows("SELECT body FROM entry WHERE seq = ?", seq)
        return _kept(rows[0][0]) if rows else None

    def check_head(self) -> None:
        """Check the newest entry's name and signature; fsck checks all.

        Raises:
            JournalDamagedError: it does not hold.
        """
        # One look: between two, another process may have committed the next entry.
        sql = "SELECT seq, leaf, body, signature FROM entry ORDER BY seq DESC LIMIT 1"
        for seq, leaf, body, signature in self.rows(sql):
            self._named(_kept(body), seq, leaf)
            try:
                check_head(leaf, signature or b"", self.identity.key)
            except CardCodecError as error:
                raise damaged("the newest head signature does not hold") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        """What a query of this room finds; a JournalError when the database does not answer."""
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise translated(error) from error

    def _read_head(self) -> Head:
        me = self.identity
        rows = self.rows("SELECT seq, leaf, body FROM entry ORDER BY seq DESC LIMIT 1")
        if not rows:
            return Head(0, genesis(me.terminal, me.epoch, me.key))
        seq, leaf, body = rows[0]
        if self._head is not None and self._head.leaf == leaf:
            return self._head
        entry = self._named(_kept(body), seq, leaf)
        return Head(seq, leaf, entry.body.moment, entry.kind)

    def _named(self, entry: Entry, seq: int, leaf: bytes) -> Entry:
        """The entry, if it has the name it goes by."""
        me = self.identity
        if (entry.id, entry.leaf) != (RedemptionId(me.terminal, me.epoch, seq), leaf):
            raise damaged(f"entry {seq} does not have the name it goes by")
        return entry


def create_journal(path: Path, identity: Identity) -> Journal:
    """Make an empty journal.

    Raises:
        JournalError: there is a file already; it is left as it is.
    """
    building = path.with_name(f".building-{os.getpid()}-{path.name}")
    try:
        building.unlink(missing_ok=True)
        _build(building, identity)
        os.link(building, path)  # unlike a rename it never takes another's place
        _to_disk(path.parent)
    except FileExistsError as error:
        raise JournalError(f"{path} exists already; a journal is never overwritten") from error
    except OSError as error:
        raise JournalError(f"cannot make {path}: {error.strerror}; nothing was changed") from error
    except sqlite3.Error as error:
        raise JournalError(f"cannot make {path}: {error}; nothing was changed") from error
    finally:
        building.unlink(missing_ok=True)
    return open_journal(path)


def _build(path: Path, identity: Identity) -> None:
    """A whole journal without entries, or nothing that anyone would open."""
    script = resources.files("ledger").joinpath("schema.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {script}")
        connection.execute(
            "INSERT INTO identity VALUES (1, ?, ?, ?)",
            (identity.terminal, identity.epoch, identity.key.spki),
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    _to_disk(path)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_journal(path: Path, *, reading: bool = False) -> Journal:
    """Open an existing journal and check that its pragmas hold.

    Args:
        path: the database file.
        reading: open it so that nothing can be written, as the agent does.

    Raises:
        JournalError: no journal there.
        JournalDamagedError: not a journal, or not durable.
    """
    if not path.is_file():
        raise JournalError(f"no journal at {path}; enrol the terminal or check the path")
    try:
        connection = database.connect(path, reading=reading)
    except sqlite3.Error as error:
        raise translated(error) from error
    try:
        identity = _identity(connection, path)  # before anything that could write
        _make_durable(connection)
        journal = Journal(connection, identity, path)
        journal.check_head()
    except sqlite3.Error as error:
        connection.close()
        raise translated(error) from error
    except BaseException:
        connection.close()
        raise
    return journal


def _identity(connection: sqlite3.Connection, path: Path) -> Identity:
    try:
        row = connection.execute("SELECT terminal, epoch, spki FROM identity").fetchone()
        if row is not None and None not in row:
            return Identity(row[0], row[1], PublicKey.from_spki(row[2]))
    except sqlite3.Error as error:
        raise translated(error) from error
    except CardCodecError as error:
        raise damaged(f"its key is no key: {error.detail}") from error
    raise damaged(f"{path} names no terminal")


def _make_durable(connection: sqlite3.Connection) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if synchronous != 2 or mode != "wal":
        raise JournalDamagedError("the journal is not durable (WAL, FULL); do not serve")


def _kept(data: bytes | None) -> Entry:
    """An entry as it was kept: one that cannot be read is damage, not somebody's bad input."""
    if data is None:  # a file cut short gives NULL even where the schema forbids it
        raise damaged("an entry is missing its body")
    try:
        return read_entry(data)
    except RecordError as error:
        raise damaged(error.detail) from error


__all__ = [
    "PRAGMAS",
    "Act",
    "Head",
    "Identity",
    "Journal",
    "Last",
    "create_journal",
    "open_journal",
]
