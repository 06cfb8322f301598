"""Redemptions by chip that were cut off: what became of each, as a terminal that saw its card says.

A chip counts each commit, and a pending redemption could only be the commit after the counter that
its terminal read. Whose record that commit wrote is told by the terminal that made it, or by any
that has seen the card since. What nobody has seen stays open; it is nobody's double.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, exists, select

from card_codec.chip.record import RecordKind
from ledger.element import RedemptionId
from ledger.entry import Commit, Entry, Observed, Pending, Void
from sync_agent.province.engine import add_once, append
from sync_agent.province.schema import card_commit, committed, naming, pending, voided

TELLING = (Pending, Commit, Observed, Void)
"""Entries that tell of a chip, or of what was given by one."""


class Fate(StrEnum):
    """What is known of a pending redemption that its own terminal has not settled yet."""

    COMMITTED = "committed"
    """Its card holds its record: it was taken, and its terminal has yet to learn of it."""
    NOT_COMMITTED = "not_committed"
    """Its card has gone on without it: nothing was taken."""
    OPEN = "open"
    """Nobody has seen the card since."""


class ChipRows:
    """Rows about chips that wait to be written by one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._pendings: list[tuple[object, ...]] = []
        self._known: dict[RedemptionId, bytes] = {}
        self._committed: set[tuple[int, int, int]] = set()
        self._commits: set[tuple[bytes, int, int, int, int, int]] = set()
        self._naming: list[tuple[object, ...]] = []

    def add(self, entries: Sequence[Entry]) -> None:
        """What follows from entries of one terminal, in their order."""
        # Most entries say nothing of a chip: those are passed over at the least cost.
        for one in [e for e in entries if isinstance(e.content, TELLING)]:
            content, id = one.content, one.id
            if isinstance(content, Pending):
                self._known[id] = content.uid
                self._pendings.append((*_place(id), content.uid, content.counter))
            elif isinstance(content, Commit):
                named = RedemptionId(id.terminal, id.epoch, content.seq)
                self._committed.add(_place(named))
                self._naming.append((*_place(id), content.seq))
                self._add_commit(named, content)
            elif isinstance(content, Observed):
                self._add_seen(content)
            elif isinstance(content, Void):
                self._naming.append((*_place(id), content.seq))

    def flush(self) -> None:
        """Write what waits."""
        append(self._db, pending, self._pendings)
        append(self._db, naming, self._naming)
        # Many terminals may have seen one commit.
        add_once(self._db, committed, sorted(self._committed))
        add_once(self._db, card_commit, sorted(self._commits))
        self._pendings, self._naming, self._known = [], [], {}
        self._committed, self._commits = set(), set()

    def _add_commit(self, id: RedemptionId, commit: Commit) -> None:
        """The commit of a pending redemption; that of a void is told by who sees the card."""
        uid = self._known.get(id) or _uid(self._db, id)
        if uid is not None:
            kind = int(RecordKind.REDEMPTION)
            self._commits.add((uid, commit.counter, *_place(id), kind))

    def _add_seen(self, seen: Observed) -> None:
        records = seen.card_records()
        first = seen.counter - len(records) + 1
        for counter, record in enumerate(records, first):
            if counter > 0:
                place = (record.terminal, record.epoch, record.seq, int(record.kind))
                self._commits.add((seen.uid, counter, *place))


def unsettled(db: Connection) -> dict[RedemptionId, Fate]:
    """Pending redemptions that their own terminal has neither committed nor voided."""
    rows = db.execute(
        select(pending)
        .where(~exists().where(_same(committed)), ~exists().where(_same(voided)))
        .order_by(pending.c.terminal, pending.c.epoch, pending.c.seq)
    )
    return {RedemptionId(row.terminal, row.epoch, row.seq): _told(db, row) for row in rows.all()}


def _same(table: Table) -> ColumnElement[bool]:
    """The row of a table that names the same entry as the pending redemption."""
    return and_(*(table.c[name] == pending.c[name] for name in ("terminal", "epoch", "seq")))


def _told(db: Connection, row: Row[Any]) -> Fate:
    query = select(card_commit).where(
        card_commit.c.uid == row.uid, card_commit.c.counter == row.counter + 1
    )
    wrote = list(db.execute(query))
    if any(_is_of(one, row) for one in wrote):
        return Fate.COMMITTED
    return Fate.NOT_COMMITTED if wrote else Fate.OPEN


def _place(id: RedemptionId) -> tuple[int, int, int]:
    return id.terminal, id.epoch, id.seq


def _is_of(commit: Row[Any], row: Row[Any]) -> bool:
    named = (commit.terminal, commit.epoch, commit.seq, commit.kind)
    return named == (row.terminal, row.epoch, row.seq, int(RecordKind.REDEMPTION))


def _uid(db: Connection, id: RedemptionId) -> bytes | None:
    found = db.execute(
        select(pending.c.uid).where(
            pending.c.terminal == id.terminal,
            pending.c.epoch == id.epoch,
            pending.c.seq == id.seq,
        )
    ).scalar_one_or_none()
    return None if found is None else bytes(found)
