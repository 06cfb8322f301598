"""An act: what happens inside one transaction of the journal."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from card_codec.keys import PublicKey, Signer
from ledger.acknowledgement import Acknowledgement
from ledger.card_memory import CardMemory
from ledger.clock import Moment, Reading, judge_time
from ledger.element import RedemptionId
from ledger.entry import (
    Commit,
    Content,
    Entry,
    Kind,
    Observed,
    Pending,
    Void,
    make_entry,
    read_entry,
    sign_head,
)
from ledger.floors import floors_of
from ledger.projection import project
from ledger.union import Known


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain stands: entries so far, the newest leaf, its moment and its kind."""

    seq: int
    leaf: bytes
    moment: Moment | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose journal it is."""

    terminal: int
    epoch: int
    key: PublicKey


class Act:
    """The inside of one transaction."""

    def __init__(self, connection: sqlite3.Connection, identity: Identity, head: Head) -> None:
        self._db = connection
        self._identity = identity
        self.head = head
        self.known = Known(connection, identity.terminal, identity.epoch)
        self.cards = CardMemory(connection, identity.terminal, identity.epoch)

    def moment(self, reading: Reading) -> Moment:
        """What time it is, by the floors and the newest entry as of this act."""
        return judge_time(reading, floors_of(self._db), self.head.moment)

    @property
    def connection(self) -> sqlite3.Connection:
        """The transaction's own; for those of this package that look at all of it."""
        return self._db

    @property
    def identity(self) -> Identity:
        """Whose journal it is."""
        return self._identity

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
        self.head = Head(entry.body.seq, entry.leaf, moment, entry.kind)
        return entry

    def awaiting_handover(self, since: int) -> int | None:
        """Seq of the last redemption after ``since`` whose hand-over is not recorded yet.

        What was taken back has none, and a void of another says nothing of this one's goods.
        """
        if self.head.kind is Kind.REDEMPTION:
            return self.head.seq if self.head.seq > since else None
        kinds = (int(Kind.REDEMPTION), int(Kind.HANDOVER), int(Kind.COMMIT))
        for seq, kind in self._db.execute(
            "SELECT seq, kind FROM entry WHERE kind IN (?, ?, ?) AND seq > ? ORDER BY seq DESC",
            (*kinds, since),
        ):
            if kind == Kind.HANDOVER:
                return None
            given = int(seq) if kind == Kind.REDEMPTION else self._committed_redemption(seq)
            if given is not None and not self.is_voided(given):
                return given
        return None

    def _committed_redemption(self, seq: int) -> int | None:
        """The redemption by chip that a commit speaks of; None if it speaks of a void."""
        commit = self.entry(seq)
        named = (
            self.entry(commit.content.seq)
            if commit and isinstance(commit.content, Commit)
            else None
        )
        return named.body.seq if named and isinstance(named.content, Pending) else None

    def count(self, kind: Kind, *, since: int) -> int:
        """Entries of a kind since a time, by their early time (Unix seconds)."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM entry WHERE kind = ? AND early >= ?", (int(kind), since)
        ).fetchone()
        return int(count)

    def entry(self, seq: int) -> Entry | None:
        """The entry of that number, None when there is none.

        Raises:
            RecordError: it cannot be read.
        """
        row = self._db.execute("SELECT body FROM entry WHERE seq = ?", (seq,)).fetchone()
        return read_entry(row[0]) if row else None

    def is_voided(self, seq: int) -> bool:
        """Whether an entry of this journal was taken back."""
        me = self._identity
        found = self._db.execute(
            "SELECT 1 FROM taken_back WHERE terminal = ? AND epoch = ? AND seq = ?",
            (me.terminal, me.epoch, seq),
        )
        return found.fetchone() is not None

    def closed_since(self, seq: int) -> bool:
        """Whether the day was closed after an entry."""
        found = self._db.execute(
            "SELECT 1 FROM entry WHERE seq > ? AND kind = ? LIMIT 1", (seq, int(Kind.CLOSE))
        )
        return found.fetchone() is not None

    def is_closed(self) -> bool:
        """Whether the newest entry closes the day; a seal is of no day."""
        if self.head.kind is not Kind.SEAL:
            return self.head.kind is Kind.CLOSE
        row = self._db.execute(
            "SELECT kind FROM entry WHERE kind != ? ORDER BY seq DESC LIMIT 1", (int(Kind.SEAL),)
        ).fetchone()
        return row is not None and row[0] == Kind.CLOSE

    def day(self) -> tuple[int, list[Entry]]:
        """The day's entries so far, those since the last close, and the first one's number.

        Raises:
            RecordError: one cannot be read.
        """
        (last,) = self._db.execute(
            "SELECT coalesce(max(seq), (SELECT seq FROM pruned), 0) FROM entry WHERE kind = ?",
            (int(Kind.CLOSE),),
        ).fetchone()
        rows = self._db.execute("SELECT body FROM entry WHERE seq > ? ORDER BY seq", (last,))
        return last + 1, [read_entry(body) for (body,) in rows]

    def bring_back(
        self,
        epoch: int,
        spki: bytes,
        signed: list[tuple[Entry, bytes | None]],
        *,
        after: tuple[int, bytes | None] = (0, None),
    ) -> None:
        """Keep an earlier epoch's chain beside this one, and count what it gave as taken.

        Args:
            epoch: the earlier one.
            spki: its public key, DER.
            signed: all of its entries in order, each with its head signature if any.
            after: number and leaf of the entry up to which it was pruned.
        """
        self._db.execute("INSERT INTO former_epoch VALUES (?, ?, ?, ?)", (epoch, spki, *after))
        self._db.executemany(
            "INSERT INTO former VALUES (?, ?, ?, ?, ?)",
            [(epoch, e.body.seq, e.data, e.leaf, signature) for e, signature in signed],
        )
        for entry, _ in signed:
            self._project(entry)

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
        project(self._db, self.known, entry, epoch=self._identity.epoch)
        # What an earlier epoch left open its own key alone could have closed.
        of_chip = isinstance(entry.content, Pending | Commit | Observed | Void)
        if of_chip and entry.id.epoch == self._identity.epoch:
            self.cards.note(entry, self.entry)
