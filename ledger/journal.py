"""The journal: one terminal's append-only, hash-chained, signed record of what happened.

SQLite in WAL mode with ``synchronous=FULL``: an act that returned is on the disk. Deciding and
recording are one ``BEGIN IMMEDIATE`` transaction, so two counters on one terminal cannot both see
the same thing left.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from card_codec.keys import PublicKey, Signer
from ledger.acknowledgement import Acknowledgement
from ledger.clock import Floor, Floors, Moment
from ledger.element import RedemptionId
from ledger.entry import (
    Content,
    Entry,
    Kind,
    Redemption,
    Void,
    genesis,
    make_entry,
    read_entry,
    sign_head,
)
from ledger.errors import JournalDamagedError, JournalError, NotSavedError
from ledger.union import Known

BUSY_SECONDS = 10
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=100",
    "PRAGMA journal_size_limit=1048576",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain stands: entries so far, the newest leaf, and its moment."""

    seq: int
    leaf: bytes
    moment: Moment | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose journal it is."""

    terminal: int
    epoch: int
    key: PublicKey


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
                raise _translated(error) from error
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def known(self) -> Known:
        """The union as committed (for pages and reports; a decision uses its act)."""
        return Known(self._db, self.identity.terminal, self.identity.epoch)

    def head(self) -> Head:
        """The newest committed entry."""
        with self._lock:
            return self._read_head()

    def signed_run(self, start: int, limit: int = 500) -> tuple[list[Entry], bytes]:
        """Entries from ``start`` on, up to a signed head, and its signature; none when all is read.

        One signature covers an act, so a run ends where an act ended.
        """
        rows = self._rows(
            "SELECT body, signature FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?", start, limit
        )
        while rows and rows[-1][1] is None:
            rows.pop()
        return [read_entry(body) for body, _ in rows], rows[-1][1] if rows else b""

    def floors(self) -> Floors:
        """The newest signed times, offline and online."""
        rows = self._rows("SELECT name, time, boottime, boot_id FROM floor")
        known = {name: Floor(*row) for name, *row in rows}
        return Floors(known.get("office", Floor()), known.get("online", Floor()))

    def leaf(self, seq: int) -> bytes | None:
        """Leaf hash of an entry, of 0 what the first one follows; None beyond the head."""
        if seq == 0:
            return genesis(self.identity.terminal, self.identity.epoch, self.identity.key)
        rows = self._rows("SELECT leaf FROM entry WHERE seq = ?", seq)
        return bytes(rows[0][0]) if rows else None

    def acknowledged(self) -> Acknowledgement | None:
        """The province's newest acknowledgement, or None."""
        rows = self._rows("SELECT seq, head, at FROM acknowledgement ORDER BY seq DESC LIMIT 1")
        if not rows:
            return None
        seq, head, at = rows[0]
        me = self.identity
        return Acknowledgement("khb-ack-1", me.terminal, me.epoch, seq, head, at)

    def last_redemption(self) -> tuple[Entry, bool] | None:
        """The newest redemption that stands, and whether its goods were handed over."""
        rows = self._rows(
            "SELECT e.body FROM entry e WHERE e.kind = ? AND NOT EXISTS (SELECT 1 FROM voided v"
            " WHERE v.terminal = ? AND v.epoch = ? AND v.seq = e.seq)"
            " ORDER BY e.seq DESC LIMIT 1",
            int(Kind.REDEMPTION),
            self.identity.terminal,
            self.identity.epoch,
        )
        if not rows:
            return None
        entry = read_entry(rows[0][0])
        given = self._rows(
            "SELECT 1 FROM entry WHERE seq > ? AND kind = ? LIMIT 1",
            entry.body.seq,
            int(Kind.HANDOVER),
        )
        return entry, bool(given)

    def kinds(self, after: int) -> list[tuple[int, Kind, int]]:
        """(seq, kind, early) of every entry after a seq, for counting."""
        rows = self._rows("SELECT seq, kind, early FROM entry WHERE seq > ? ORDER BY seq", after)
        return [(seq, Kind(kind), early) for seq, kind, early in rows]

    def entry(self, seq: int) -> Entry | None:
        """The entry of that seq, or None."""
        rows = self._rows("SELECT body FROM entry WHERE seq = ?", seq)
        return read_entry(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise _translated(error) from error

    def _read_head(self) -> Head:
        row = self._db.execute(
            "SELECT seq, leaf, body FROM entry ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if row is None:
            me = self.identity
            return Head(0, genesis(me.terminal, me.epoch, me.key), None)
        seq, leaf, body = row
        if self._head is not None and self._head.leaf == leaf:
            return self._head
        return Head(seq, leaf, read_entry(body).body.moment)


class Act:
    """The inside of one transaction."""

    def __init__(self, connection: sqlite3.Connection, identity: Identity, head: Head) -> None:
        self._db = connection
        self._identity = identity
        self.head = head
        self.known = Known(connection, identity.terminal, identity.epoch)

    def append(
        self, *contents: Content, moment: Moment, ledger: int, officer: str, signer: Signer
    ) -> tuple[Entry, bytes]:
        """Write entries one after the other and sign the head, which covers them all.

        Returns:
            The last entry, and the signature over it.
        """
        entries = [self._next(content, moment, ledger, officer) for content in contents]
        signature = sign_head(self.head.leaf, signer)
        self._db.executemany(
            "INSERT INTO entry (seq, kind, early, body, leaf, signature) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (entry.body.seq, entry.body.kind, moment.early, entry.data, entry.leaf,
                 signature if entry is entries[-1] else None)
                for entry in entries
            ],
        )  # fmt: skip
        for entry in entries:
            self._project(entry)
        return entries[-1], signature

    def _next(self, content: Content, moment: Moment, ledger: int, officer: str) -> Entry:
        me = self._identity
        entry = make_entry(
            id=RedemptionId(me.terminal, me.epoch, self.head.seq + 1),
            prev=self.head.leaf,
            moment=moment,
            ledger=ledger,
            officer=officer,
            content=content,
        )
        self.head = Head(entry.body.seq, entry.leaf, moment)
        return entry

    def awaiting_handover(self, since: int) -> int | None:
        """Seq of the last redemption after ``since`` whose hand-over is not recorded yet."""
        row = self._db.execute(
            "SELECT seq, kind FROM entry WHERE kind IN (?, ?, ?) ORDER BY seq DESC LIMIT 1",
            (int(Kind.REDEMPTION), int(Kind.HANDOVER), int(Kind.VOID)),
        ).fetchone()
        if row is None or row[0] <= since or row[1] != Kind.REDEMPTION:
            return None
        return int(row[0])

    def raise_floor(self, name: str, floor: Floor) -> None:
        """Keep a newer signed time; an older one is ignored."""
        self._db.execute(
            "INSERT INTO floor (name, time, boottime, boot_id) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET time = excluded.time, boottime = excluded.boottime,"
            " boot_id = excluded.boot_id WHERE excluded.time > floor.time",
            (name, floor.time, floor.boottime, floor.boot_id),
        )

    def keep_acknowledgement(self, acknowledgement: Acknowledgement, data: bytes) -> bool:
        """Keep the province's word if it speaks of this chain; False when it does not."""
        row = self._db.execute(
            "SELECT leaf FROM entry WHERE seq = ?", (acknowledgement.seq,)
        ).fetchone()
        if row is None or row[0] != acknowledgement.head:
            return False
        self._db.execute(
            "INSERT OR IGNORE INTO acknowledgement (seq, head, at, data) VALUES (?, ?, ?, ?)",
            (acknowledgement.seq, acknowledgement.head, acknowledgement.at, data),
        )
        return True

    def _project(self, entry: Entry) -> None:
        """Keep the tables that follow from entries in step with them."""
        content, id = entry.content, entry.id
        if isinstance(content, Redemption):
            element = entry.element()
            if element is not None:
                self.known.add(element, basis=content.basis)
        elif isinstance(content, Void):
            self.known.void(RedemptionId(id.terminal, id.epoch, content.seq))


def create_journal(path: Path, identity: Identity) -> Journal:
    """Make an empty journal.

    Raises:
        JournalError: there is a file already; it is left as it is.
    """
    if path.exists():
        raise JournalError(f"{path} exists already; a journal is never overwritten")
    connection = _connect(path)
    script = resources.files("ledger").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {script}")
    connection.execute(
        "INSERT INTO identity VALUES (1, ?, ?, ?)",
        (identity.terminal, identity.epoch, identity.key.spki),
    )
    connection.execute("COMMIT")
    return Journal(connection, identity, path)


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
        connection = _connect(path, mode="ro" if reading else "rw")
        row = connection.execute("SELECT terminal, epoch, spki FROM identity").fetchone()
    except sqlite3.Error as error:
        raise _translated(error) from error
    if row is None:
        raise JournalDamagedError(f"{path} names no terminal; run fsck and keep the file")
    identity = Identity(row[0], row[1], PublicKey.from_spki(row[2]))
    return Journal(connection, identity, path)


def _connect(path: Path, *, mode: str = "rwc") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    for pragma in PRAGMAS:
        connection.execute(pragma)
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if synchronous != 2 or mode != "wal":
        raise JournalDamagedError("the journal is not durable (WAL, FULL); do not serve")
    return connection


def _translated(error: sqlite3.Error) -> JournalError:
    """Every SQLite error becomes one of ours at this seam."""
    if isinstance(error, sqlite3.OperationalError):
        return NotSavedError(f"the disk did not take the act ({error}); do not hand over")
    return JournalDamagedError(f"the journal is damaged ({error}); stop service and run fsck")
