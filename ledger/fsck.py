"""fsck: derive everything again from the entries and the usage taken in, and compare."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from ledger.complaint import Complaints
from ledger.element import Element, RedemptionId
from ledger.entry import (
    Closed,
    Entry,
    Kind,
    Pending,
    Redemption,
    Sealed,
    Void,
    check_head,
    genesis,
    read_entry,
)
from ledger.errors import JournalError, RecordError
from ledger.fsck_given import Given
from ledger.heard_void import said_void
from ledger.totals import total_up
from ledger.usage_file import read_usage

FAULTS_MAX = 50
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What fsck found.

    Attributes:
        entries: number of the newest entry; the first may have been pruned.
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


def check_journal(
    path: Path, *, terminal: int, epoch: int, key: PublicKey | None = None
) -> Checked:
    """Check a journal from its first entry to its last; changes nothing.

    Args:
        path: the database file.
        terminal: ordinal of the terminal whose it must be.
        epoch: the terminal's epoch.
        key: the key it must have been begun with; None where only the file is at hand.

    Raises:
        JournalError: there is no file to check.
    """
    if not path.is_file():
        raise JournalError(f"no journal at {path}; check --config")
    try:
        with closing(sqlite3.connect(reading_uri(path), uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")
            return check_connection(db, terminal=terminal, epoch=epoch, key=key)
    except sqlite3.Error as error:
        told = " ".join(str(error).split())
        return Checked(0, "", (f"SQLite cannot read the journal: {told}",))


def check_connection(
    db: sqlite3.Connection, *, terminal: int, epoch: int, key: PublicKey | None = None
) -> Checked:
    """Check a journal as this connection sees it, inside its transaction."""
    return _Check(db, terminal, epoch, key).run()


def reading_uri(path: Path) -> str:
    """How to open a journal so that nothing is left beside it.

    Without a WAL nobody serves and the file is all there is. Opened as one that may change, it
    would get a WAL beside it, of whoever reads, which the service could not write.
    """
    served = Path(f"{path}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'' if served else '&immutable=1'}"


class _Check:
    def __init__(
        self, db: sqlite3.Connection, terminal: int, epoch: int, key: PublicKey | None
    ) -> None:
        self.db = db
        self.me = (terminal, epoch)
        self.key = key
        self.faults: list[str] = []
        self.leaves: list[bytes] = []
        self.sealed: dict[int, tuple[int, bytes]] = {}
        self.after = 0
        self.first = 1
        self.day: list[Entry] = []
        self.elements: set[Row] = set()
        self.voids: set[Row] = set()
        self.given = Given()
        self.complaints = Complaints()
        self.heard: set[Row] = set()

    def run(self) -> Checked:
        (integrity,) = self.db.execute("PRAGMA integrity_check(1)").fetchone()
        if integrity != "ok":
            self.faults.append(f"SQLite: {' '.join(str(integrity).split())}")
        if _structure(self.db) != _structure_of_this_version():
            self.faults.append("the tables or their guards are not those of this version")
        key = self._identity()
        self._former()
        if key is not None:
            self._chain(key)
        self._usage()
        self._projections()
        self._acknowledgements()
        head = self.leaves[-1].hex() if self.leaves else ""
        newest = self.after + len(self.leaves)
        return Checked(newest, head, tuple(self.faults[:FAULTS_MAX]))

    def _identity(self) -> PublicKey | None:
        """Whose journal it says it is."""
        row = self.db.execute("SELECT terminal, epoch, spki FROM identity").fetchone()
        if row is None or tuple(row[:2]) != self.me:
            self.faults.append("the journal is not that of the terminal the configuration names")
        try:
            key = PublicKey.from_spki(row[2]) if row and row[2] else None
        except CardCodecError:
            key = None
        if key is None or (self.key is not None and key != self.key):
            self.faults.append("the journal was not begun with this terminal's signing key")
        return self.key or key

    def _chain(self, key: PublicKey) -> None:
        """The journal's own entries, from the one after what was pruned."""
        pruned = self.db.execute("SELECT seq, leaf FROM pruned").fetchone()
        begins = (0, genesis(*self.me, key)) if pruned is None else tuple(pruned)
        self.after, self.first = begins[0], begins[0] + 1
        self.given = Given(after=self.after)
        self.complaints = Complaints(after=self.after)
        rows = self.db.execute(
            "SELECT seq, kind, early, body, leaf, signature FROM entry ORDER BY seq"
        )
        for entry, named in self._linked(rows, self.me[1], key, begins):
            if named != (entry.body.kind, entry.body.moment.early):
                self.faults.append(f"entry {entry.body.seq}: it names another place in the journal")
                return
            self._note(entry)

    def _former(self) -> None:
        """The chains of earlier epochs that were brought back: all they gave is counted."""
        for epoch, spki, *after in self.db.execute(
            "SELECT epoch, spki, after, leaf FROM former_epoch ORDER BY epoch"
        ):
            rows = self.db.execute(
                "SELECT seq, NULL, NULL, body, leaf, signature FROM former WHERE epoch = ?"
                " ORDER BY seq",
                (epoch,),
            )
            try:
                key = PublicKey.from_spki(spki)
            except CardCodecError:
                self.faults.append(f"epoch {epoch} was brought back without its key")
                continue
            begins = tuple(after) if after[0] else (0, genesis(self.me[0], epoch, key))
            for entry, _ in self._linked(rows, epoch, key, begins):
                self.sealed[epoch] = (entry.body.seq, entry.leaf)
                self._count(entry)
                if isinstance(entry.content, Void):
                    self.voids.add((self.me[0], epoch, entry.content.seq))

    def _linked(
        self, rows: Iterable[Row], epoch: int, key: PublicKey, begins: Row
    ) -> Iterator[tuple[Entry, Row]]:
        """Entries of a chain, each of which follows the one before, names itself, and is signed.

        ``begins`` is the number and the leaf that the first one follows.
        """
        (after, prev), signed = begins, True
        for expected, (seq, kind, early, data, leaf, signature) in enumerate(rows, after + 1):
            if seq != expected:
                self.faults.append(f"entry {expected} is missing; the next one is {seq}")
                return
            try:
                entry = read_entry(data or b"")
            except RecordError as error:
                self.faults.append(f"entry {seq}: {error.detail}")
                return
            named = (self.me[0], epoch, seq)
            fault = _fault_of_place(entry, named, prev, leaf) or _fault_of_head(
                entry, signature, key
            )
            if fault:
                self.faults.append(f"entry {seq}: {fault}")
                return
            yield entry, (kind, early)
            prev, signed = entry.leaf, signature is not None
        if not signed:
            self.faults.append("the newest head is not signed")

    def _note(self, entry: Entry) -> None:
        """Keep what follows from an entry."""
        content, seq = entry.content, entry.body.seq
        self.leaves.append(entry.leaf)
        self._count(entry)
        self.faults += self.given.note(entry) + self.complaints.note(entry)
        if isinstance(content, Closed):
            if content != total_up(self.first, self.day, self.given.by_chip.get):
                self.faults.append(f"entry {seq} closes the day with other totals than it has")
            self.first, self.day = seq + 1, []
        else:
            self.day.append(entry)
        if isinstance(content, Sealed) and not self._seals(content, entry):
            self.faults.append(f"entry {seq} seals another head than the one before it")
        if isinstance(content, Void):
            self.voids.add((*self.me, content.seq))

    def _count(self, entry: Entry) -> None:
        """Keep the elements that follow from an entry."""
        element = entry.element()
        if element is not None and isinstance(entry.content, Redemption | Pending):
            self.elements.add(_row(element, basis=entry.content.basis))
        self.elements.update(_row(seen, basis=0) for seen in entry.seen())

    def _seals(self, sealed: Sealed, entry: Entry) -> bool:
        """Whether what is sealed is what went before: the entry just before, or a former chain."""
        if sealed.epoch == self.me[1]:
            return (sealed.seq, sealed.head) == (entry.body.seq - 1, entry.body.prev)
        return self.sealed.get(sealed.epoch) == (sealed.seq, sealed.head)

    def _usage(self) -> None:
        """Elements from elsewhere are those of the usage taken in."""
        mine = {element[:-1] for element in self.elements}
        for kecamatan, number, data in self.db.execute(
            "SELECT kecamatan, number, data FROM segment ORDER BY kecamatan, number"
        ):
            try:
                file, elements = read_usage(data or b"")
            except RecordError as error:
                self.faults.append(f"usage {number} of {kecamatan}: {error.detail}")
                continue
            if (file.kecamatan, file.number) != (kecamatan, number):
                self.faults.append(f"usage {number} of {kecamatan} names another segment")
            said = (said_void(void) for void in file.voids)
            self.heard.update((id.terminal, id.epoch, id.seq) for id in said if id)
            for element in elements:
                row = _row(element, basis=0)
                if row[:-1] in mine:
                    continue
                self.elements.add(row)
                own = (element.id.terminal, element.id.epoch) == self.me
                if own and element.id.seq > self.after:
                    self.faults.append(
                        f"the province knows redemption {element.id.number()}, which this journal"
                        " does not hold: it was rolled back, or usage was forged"
                    )

    def _projections(self) -> None:
        """The tables that follow hold exactly what the entries and the usage say."""
        held = set(
            self.db.execute(
                "SELECT household, programme, window, member, terminal, epoch, seq, leaf,"
                " quantity, minute, basis FROM element"
            )
        )
        for row in sorted(self.elements - held, key=repr):
            self.faults.append(f"redemption {_number(row)} is not counted")
        for row in sorted(held - self.elements, key=repr):
            self.faults.append(f"redemption {_number(row)} is counted, and nothing says so")
        voided = set(self.db.execute("SELECT terminal, epoch, seq FROM voided"))
        # Of those heard from elsewhere, only the signed ones count: by a roll that is not here.
        if not self.voids <= voided <= self.voids | self.heard:
            self.faults.append("the voids kept here do not match the entries")
        self.faults += self.given.compare(self.db)

    def _acknowledgements(self) -> None:
        pruned = dict(self.db.execute("SELECT seq, leaf FROM pruned"))
        for seq, head in self.db.execute("SELECT seq, head FROM acknowledgement"):
            place = seq - self.after - 1
            leaf = self.leaves[place] if 0 <= place < len(self.leaves) else pruned.get(seq)
            if leaf != head:
                self.faults.append(
                    f"the province acknowledged entry {seq}, which is not in this journal"
                )


def _structure(db: sqlite3.Connection) -> dict[str, str]:
    """How each table, index and trigger is defined; words of a comment do not matter."""
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: " ".join(re.sub(r"--[^\n]*", "", sql).split()) for name, sql in rows}


def _structure_of_this_version() -> dict[str, str]:
    script = resources.files("ledger").joinpath("schema.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(script)
        return _structure(db)


def _fault_of_place(entry: Entry, named: Row, prev: bytes, leaf: bytes | None) -> str | None:
    body = entry.body
    if entry.leaf != leaf or body.prev != prev:
        return "it does not follow the one before"
    if (body.terminal, body.epoch, body.seq) != named:
        return "it names another place in the journal"
    return None


def _fault_of_head(entry: Entry, signature: bytes | None, key: PublicKey) -> str | None:
    """Only what goes before in the same act may go without: a hand-over, the day's opening."""
    if signature is None:
        before = entry.kind in {Kind.HANDOVER, Kind.OPEN}
        return None if before else "its act ends unsigned"
    try:
        check_head(entry.leaf, signature, key)
    except CardCodecError:
        return "its head signature does not hold"
    return None


def _row(element: Element, *, basis: int) -> Row:
    right, id = element.right, element.id
    return (right.household, right.programme, right.window, right.member, id.terminal, id.epoch,
            id.seq, element.leaf, element.quantity, element.minute, int(basis))  # fmt: skip


def _number(row: Row) -> str:
    terminal, epoch, seq = row[4:7]
    if isinstance(terminal, int) and isinstance(epoch, int) and isinstance(seq, int):
        return RedemptionId(terminal, epoch, seq).number()
    return "?"
