"""Redemptions that evidence proves and the log does not hold: of another branch, or never arrived.

Two leaf hashes under one id both count. So what a terminal signed beside its own history is an
element like any other: it rides in the usage, and it counts where doubles are looked for. What came
of a terminal after it was shut out proves nothing: whoever has it may sign what they like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection, Select, exists, select

from ledger.element import Right
from ledger.entry import Commit, Entry, Pending, Redemption, Void
from ledger.roll import Roll
from sync_agent.batch import read_batch
from sync_agent.errors import MessageError
from sync_agent.province.engine import add_once
from sync_agent.province.schema import evidence_published, fork, missing
from sync_agent.province.store import leaves

Chain: TypeAlias = tuple[int, int]
BACK_MAX = 20_000
"""Entries a void or a commit is followed back by: more than a year's of a busy terminal."""


@dataclass(frozen=True, slots=True)
class Proved:
    """One redemption that stands in evidence alone.

    Attributes:
        entry: as its terminal signed it, a redemption, by chip or not.
        at: Unix seconds, when its evidence came.
    """

    entry: Entry
    at: int

    @property
    def content(self) -> Redemption | Pending:
        """What was given."""
        content = self.entry.content
        if not isinstance(content, Redemption | Pending):
            raise TypeError("only a redemption is proved")
        return content

    @property
    def right(self) -> Right:
        """What it was taken from."""
        content = self.content
        return Right(content.household, content.member, content.programme, content.window)


@dataclass(frozen=True, slots=True)
class Piece:
    """Evidence as it is kept: a batch, and its name (32 bytes: its digest, or its last leaf)."""

    chain: Chain
    name: bytes
    at: int
    entries: tuple[Entry, ...]


@dataclass(slots=True)
class _Branches:
    """All that is proved of one chain, by leaf hash."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    at: dict[bytes, int] = field(default_factory=dict)


def proved(db: Connection, roll: Roll) -> list[Proved]:
    """Every redemption of which evidence tells that it was given, and the log does not.

    Args:
        db: open for reading.
        roll: the terminals, and which of them are shut out since when.
    """
    chains: dict[Chain, _Branches] = defaultdict(_Branches)
    for piece in _pieces(db, roll):
        own = chains[piece.chain]
        for entry in piece.entries:
            own.entries[entry.leaf] = entry
            own.at[entry.leaf] = min(piece.at, own.at.get(entry.leaf, piece.at))
    found = []
    for chain, own in sorted(chains.items()):
        held = _held(db, chain, own.entries.values())
        given = (entry for entry in _given(own.entries) if entry.leaf not in held)
        found += [Proved(entry, own.at[entry.leaf]) for entry in given]
    return found


def unpublished_pieces(db: Connection, roll: Roll) -> list[tuple[Piece, list[Proved]]]:
    """Evidence whose elements no usage segment carries yet.

    A redemption by chip rides though it was not committed: pending counts as taken. So does one
    that its branch took back: not knowing a void only makes a counter more careful.
    """
    found = []
    for piece in _pieces(db, roll, new=True):
        held = _held(db, piece.chain, piece.entries)
        own = [
            Proved(entry, piece.at)
            for entry in piece.entries
            if isinstance(entry.content, Redemption | Pending) and entry.leaf not in held
        ]
        found.append((piece, own))
    return found


def mark_pieces(db: Connection, pieces: Iterable[Piece]) -> None:
    """Remember that a usage segment carries what these prove."""
    add_once(db, evidence_published, [(piece.name,) for piece in pieces])


def _pieces(db: Connection, roll: Roll, *, new: bool = False) -> Iterator[Piece]:
    """Batches kept of terminals that were on the roll when they came."""
    forks: Select[tuple[int, int, bytes, int, bytes]] = select(
        fork.c.terminal, fork.c.epoch, fork.c.digest.label("name"), fork.c.at, fork.c.batch
    )
    owed: Select[tuple[int, int, bytes, int, bytes]] = select(
        missing.c.terminal, missing.c.epoch, missing.c.leaf.label("name"), missing.c.at,
        missing.c.batch,
    )  # fmt: skip
    if new:
        known = evidence_published.c.name
        forks = forks.where(~exists().where(known == fork.c.digest))
        owed = owed.where(~exists().where(known == missing.c.leaf))
    for row in (*db.execute(forks).all(), *db.execute(owed).all()):
        terminal = roll.terminal(row.terminal, row.epoch)
        if terminal is None or (terminal.shut_out is not None and row.at >= terminal.shut_out):
            continue
        try:
            entries = read_batch(bytes(row.batch)).entries
        except MessageError:
            continue  # the first entry of a later epoch proves an earlier head, and no redemption
        yield Piece((row.terminal, row.epoch), bytes(row.name), row.at, entries)


def _held(db: Connection, chain: Chain, entries: Iterable[Entry]) -> frozenset[bytes]:
    """Leaf hashes the log holds under the numbers of these entries."""
    numbers = [entry.body.seq for entry in entries]
    if not numbers:
        return frozenset()
    return frozenset(map(bytes, leaves(db, *chain, first=min(numbers), last=max(numbers))))


def _given(entries: Mapping[bytes, Entry]) -> Iterator[Entry]:
    """Those that stand: not taken back, and by chip only where their commit is proved, too."""
    committed, taken_back = set[bytes](), set[bytes]()
    for entry in entries.values():
        content = entry.content
        if isinstance(content, Commit | Void):
            named = _before(entries, entry, content.seq)
            if named is not None:
                (committed if isinstance(content, Commit) else taken_back).add(named.leaf)
    for leaf, entry in entries.items():
        by_chip = isinstance(entry.content, Pending)
        if leaf in taken_back or (by_chip and leaf not in committed):
            continue
        if by_chip or isinstance(entry.content, Redemption):
            yield entry


def _before(entries: Mapping[bytes, Entry], entry: Entry, seq: int) -> Entry | None:
    """The entry of that number in the history of this one, as far as evidence reaches."""
    for _ in range(min(entry.body.seq - seq, BACK_MAX)):
        before = entries.get(entry.body.prev)
        if before is None:
            return None
        entry = before
    return entry if entry.body.seq == seq else None
