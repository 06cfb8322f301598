"""fsck: derive everything again from the entries, and compare."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from ledger.entry import Entry, Kind, Redemption, Void, check_head, genesis, read_entry
from ledger.errors import JournalError, RecordError

FAULTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Checked:
    """What fsck found.

    Attributes:
        entries: entries in the journal.
        head: leaf hash of the newest entry (hex), empty for an empty journal.
        faults: one sentence each; empty when all holds.
    """

    entries: int
    head: str
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.faults


def check_journal(path: Path, *, terminal: int, epoch: int) -> Checked:
    """Check a journal from its first entry to its last; changes nothing.

    Raises:
        JournalError: there is no file to check.
    """
    if not path.is_file():
        raise JournalError(f"no journal at {path}; check --config")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        db.execute("BEGIN")
        return _Check(db, terminal, epoch).run()
    except sqlite3.Error as error:
        return Checked(0, "", (f"SQLite cannot read the journal: {error}",))


class _Check:
    def __init__(self, db: sqlite3.Connection, terminal: int, epoch: int) -> None:
        self.db = db
        self.me = (terminal, epoch)
        self.faults: list[str] = []
        self.entries: dict[int, Entry] = {}

    def run(self) -> Checked:
        (integrity,) = self.db.execute("PRAGMA integrity_check(1)").fetchone()
        if integrity != "ok":
            self.faults.append(f"SQLite: {integrity}")
        row = self.db.execute("SELECT terminal, epoch, spki FROM identity").fetchone()
        if row is None or tuple(row[:2]) != self.me:
            self.faults.append("the journal is not that of the terminal the configuration names")
        head = self._chain(PublicKey.from_spki(row[2])) if row else b""
        self._projections()
        self._acknowledgements()
        count = len(self.entries)
        return Checked(count, head.hex() if count else "", tuple(self.faults[:FAULTS_MAX]))

    def _chain(self, key: PublicKey) -> bytes:
        """Every entry follows the one before, names itself, and is signed."""
        prev, signed = genesis(*self.me, key), True
        rows = self.db.execute(
            "SELECT seq, kind, early, body, leaf, signature FROM entry ORDER BY seq"
        )
        for expected, (seq, kind, early, data, leaf, signature) in enumerate(rows, 1):
            if seq != expected:
                self.faults.append(f"entry {expected} is missing; the next one is {seq}")
                return prev
            entry = self._signed_entry(seq, data, signature, key)
            if entry is None:
                return prev
            body = entry.body
            if entry.leaf != leaf or body.prev != prev:
                self.faults.append(f"entry {seq}: it does not follow entry {seq - 1}")
                return prev
            named = (body.terminal, body.epoch, body.seq, body.kind, body.moment.early)
            if named != (*self.me, seq, kind, early):
                self.faults.append(f"entry {seq}: it names another place in the journal")
                return prev
            self.entries[seq] = entry
            prev, signed = leaf, signature is not None
        if not signed:
            self.faults.append("the newest head is not signed")
        return prev

    def _signed_entry(
        self, seq: int, data: bytes, signature: bytes | None, key: PublicKey
    ) -> Entry | None:
        """An entry whose head signature holds; only a hand-over may leave it to the next entry."""
        try:
            entry = read_entry(data)
            if signature is not None:
                check_head(entry.leaf, signature, key)
        except RecordError as error:
            self.faults.append(f"entry {seq}: {error.detail}")
            return None
        except CardCodecError:
            self.faults.append(f"entry {seq}: its head signature does not hold")
            return None
        if signature is None and entry.kind is not Kind.HANDOVER:
            self.faults.append(f"entry {seq}: it is not signed")
            return None
        return entry

    def _projections(self) -> None:
        """The tables that follow from entries hold exactly what the entries say."""
        wanted: set[tuple[object, ...]] = set()
        voids: set[tuple[object, ...]] = set()
        for entry in self.entries.values():
            element, content = entry.element(), entry.content
            if element is not None and isinstance(content, Redemption):
                right = element.right
                wanted.add((entry.body.seq, element.leaf, right.household, right.member,
                            right.programme, right.window, element.quantity, element.minute,
                            content.basis))  # fmt: skip
            elif isinstance(content, Void):
                voids.add((content.seq,))
        self._compare(
            "SELECT seq, leaf, household, member, programme, window, quantity, minute, basis"
            " FROM element WHERE terminal = ? AND epoch = ? AND basis > 0",
            wanted,
            "redemptions",
        )
        self._compare("SELECT seq FROM voided WHERE terminal = ? AND epoch = ?", voids, "voids")

    def _compare(self, sql: str, wanted: set[tuple[object, ...]], name: str) -> None:
        if set(self.db.execute(sql, self.me)) != wanted:
            self.faults.append(f"the {name} summed here do not match the entries")

    def _acknowledgements(self) -> None:
        for seq, head in self.db.execute("SELECT seq, head FROM acknowledgement"):
            entry = self.entries.get(seq)
            if entry is None or entry.leaf != head:
                self.faults.append(
                    f"the province acknowledged entry {seq}, which is not in this journal"
                )
