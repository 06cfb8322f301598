"""What this journal knows of chips: redemptions that wait for their card, and commits it has seen.

All of it follows from entries; fsck makes it again. Only chip taps look here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from ledger.damage import translated
from ledger.entry import Commit, Entry, Excepted, Kind, Observed, Pending, Void, read_entry

EXCEPTION = int(Kind.EXCEPTION)
EntryOf = Callable[[int], Entry | None]
"""An entry of this chain by its number."""


@dataclass(frozen=True, slots=True)
class OpenPending:
    """A pending redemption of which nobody can say yet whether its card committed it.

    Attributes:
        seq: number of its entry.
        uid: of the chip, 7 bytes.
        counter: the chip's counter before (TMC).
    """

    seq: int
    uid: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the tables about chips gain by one entry.

    Attributes:
        pending: its number, uid and counter.
        committed: number of what was committed, and number of the entry that says so.
        void: its number, and that of the redemption by chip that it takes back.
        seen: uid and counter of each commit that is known now.
    """

    pending: tuple[int, bytes, int] | None = None
    committed: tuple[int, int] | None = None
    void: tuple[int, int] | None = None
    seen: tuple[tuple[bytes, int], ...] = ()


NOTHING = CardFacts()


def card_facts(entry: Entry, entry_of: EntryOf) -> CardFacts:
    """What follows from an entry about chips; of a commit only if what it names is there."""
    content, seq = entry.content, entry.body.seq
    if isinstance(content, Pending):
        return CardFacts(pending=(seq, content.uid, content.counter))
    if isinstance(content, Commit):
        uid = _uid(content.seq, entry_of)
        if uid is None:
            return NOTHING
        return CardFacts(committed=(content.seq, seq), seen=((uid, content.counter),))
    if isinstance(content, Void) and _uid(content.seq, entry_of) is not None:
        return CardFacts(void=(seq, content.seq))
    if isinstance(content, Observed):
        count = len(content.card_records())
        numbers = range(max(1, content.counter - count + 1), content.counter + 1)
        return CardFacts(seen=tuple((content.uid, number) for number in numbers))
    return NOTHING


def _uid(seq: int, entry_of: EntryOf) -> bytes | None:
    """The chip of a pending redemption, or of a void of one."""
    entry = entry_of(seq)
    if entry is not None and isinstance(entry.content, Void):
        entry = entry_of(entry.content.seq)
    return entry.content.uid if entry and isinstance(entry.content, Pending) else None


class CardMemory:
    """The tables about chips of one journal."""

    def __init__(self, connection: sqlite3.Connection, terminal: int, epoch: int) -> None:
        self._db = connection
        self._me = (terminal, epoch)

    def note(self, entry: Entry, entry_of: EntryOf) -> None:
        """Keep what follows from an entry of this chain."""
        facts = card_facts(entry, entry_of)
        if facts.pending:
            self._db.execute("INSERT INTO pending VALUES (?, ?, ?)", facts.pending)
        if facts.committed:
            self._db.execute("INSERT OR IGNORE INTO committed VALUES (?, ?)", facts.committed)
        if facts.void:
            self._db.execute("INSERT INTO chip_void VALUES (?, ?)", facts.void)
        if facts.seen:
            self._db.executemany("INSERT OR IGNORE INTO card_commit VALUES (?, ?)", facts.seen)

    def open(self, uid: bytes | None = None) -> list[OpenPending]:
        """Pending redemptions neither committed nor taken back, of one chip or of all."""
        rows = self._rows(
            "SELECT p.seq, p.uid, p.counter FROM pending p WHERE (?1 IS NULL OR p.uid = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.seq = p.seq)"
            " AND NOT EXISTS (SELECT 1 FROM taken_back v"
            " WHERE v.terminal = ?2 AND v.epoch = ?3 AND v.seq = p.seq) ORDER BY p.seq",
            uid,
            *self._me,
        )
        return [OpenPending(*row) for row in rows]

    def given_up(self) -> frozenset[int]:
        """Pending redemptions that a correction took back, and nothing of their card has ended."""
        rows = self._rows(
            "SELECT p.seq FROM pending p JOIN taken_back v ON v.seq = p.seq"
            " WHERE v.terminal = ? AND v.epoch = ?"
            " AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.seq = p.seq)"
            " AND NOT EXISTS (SELECT 1 FROM chip_void w WHERE w.redemption = p.seq)",
            *self._me,
        )
        return frozenset(seq for (seq,) in rows)

    def is_committed(self, seq: int) -> bool:
        """Whether a card committed that pending redemption, or that void, as is known here."""
        return bool(self._rows("SELECT 1 FROM committed WHERE seq = ?", seq))

    def commits(self, uid: bytes) -> frozenset[int]:
        """Counters of the commits of a chip that are known here."""
        rows = self._rows("SELECT counter FROM card_commit WHERE uid = ?", uid)
        return frozenset(counter for (counter,) in rows)

    def void_to_commit(self, redemption: int) -> int | None:
        """The void of a pending redemption, if no card is known to hold it; None otherwise."""
        rows = self._rows(
            "SELECT w.seq FROM chip_void w WHERE w.redemption = ?"
            " AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.seq = w.seq) ORDER BY w.seq",
            redemption,
        )
        return int(rows[0][0]) if rows else None

    def has_void(self, redemption: int) -> bool:
        """Whether this journal took back that redemption by chip."""
        return bool(self._rows("SELECT 1 FROM chip_void WHERE redemption = ?", redemption))

    def exceptions(self, reason: str, *, since: int) -> int:
        """How often two officers went without what a chip would have said, since a time.

        Args:
            reason: code of the refusal that they set aside.
            since: Unix seconds.
        """
        query = "SELECT body FROM entry WHERE kind = ? AND early >= ?"
        said = [read_entry(body).content for (body,) in self._rows(query, EXCEPTION, since)]
        return sum(isinstance(one, Excepted) and one.reason == reason for one in said)

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error
