"""Evidence: what shows that a chain has a second branch, or entries that never arrived.

A slip, a batch by hand or a terminal's own branch proves, by the terminal's own signature, that an
entry exists. Nothing of it is believed as history; it opens a case for people, and is kept whole.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, exists, func, select

from card_codec.refusal import Refused
from card_codec.trust import TrustList
from ledger.element import RedemptionId
from ledger.entry import Entry, Sealed
from ledger.head_code import head_code
from ledger.receipt import verify_receipt
from ledger.roll import Roll, terminal_name, trusted_key
from sync_agent.batch import Batch
from sync_agent.province.engine import add_once
from sync_agent.province.schema import entry, fork, missing, told, withdrawn
from sync_agent.province.store import first_fork, head, leaves

KEPT_MAX = 1_000
"""Batches kept of one terminal, of each kind: evidence enough, and a bound on the disk."""


class ChainKind(StrEnum):
    """What is wrong with a chain."""

    FORK = "fork"
    """The terminal signed two entries of one number: it was rolled back, or there are two of it."""
    MISSING = "missing_entries"
    """The terminal signed, or told, an entry that never arrived: it owes what comes before, too."""
    CODE = "code_differs"
    """A code was told that is not that of the entry which arrived: misheard, or another history."""


@dataclass(frozen=True, slots=True)
class ChainCase:
    """A chain about which there is evidence.

    Attributes:
        first: the first entry that differs, or that is owed.
        last: the last one of which there is evidence.
        pieces: kept batches and told codes that show it.
        told: of these, codes that somebody told: nothing of them is signed.
    """

    kind: ChainKind
    terminal: int
    epoch: int
    first: int
    last: int
    pieces: int
    told: int = 0

    @property
    def name(self) -> str:
        """``T001``, or ``T001.2`` in epoch 2."""
        return terminal_name(self.terminal, self.epoch)


class Shown(StrEnum):
    """What somebody's evidence turned out to be."""

    HELD = "held"
    FORK = "fork"
    MISSING = "missing_entries"
    CODE = "code_differs"


def read_slip(text: str, roll: Roll) -> Batch | Refused:
    """A family's slip as a batch of the one entry it is, also of a terminal that is shut out."""
    trust = TrustList(1, [trusted_key(terminal) for terminal in roll.terminals])
    read = verify_receipt(text, trust)
    if isinstance(read, Refused):
        return read
    body = read.entry.body
    return Batch(body.terminal, body.epoch, body.seq, (read.entry,), read.signature)


def keep_evidence(db: Connection, batch: Batch, beginning: bytes, *, data: bytes, at: int) -> Shown:
    """Hold a signed batch against the log, and keep it where the log does not hold it.

    Args:
        db: inside a transaction that may write.
        batch: its signature has been checked.
        beginning: what the chain's first entry follows.
        data: the batch as it came.
        at: Unix seconds.
    """
    held = head(db, batch.terminal, batch.epoch)
    differs = first_difference(db, batch, beginning, held=held.seq)
    if differs is not None:
        keep_fork(db, batch, data, differs=differs, at=at)
        return Shown.FORK
    if batch.end <= held.seq:
        return Shown.HELD
    forked = first_fork(db, batch.terminal, batch.epoch)
    if batch.start > held.seq + 1 and forked is not None:
        keep_fork(db, batch, data, differs=forked, at=at)
        return Shown.FORK
    keep_missing(db, batch, data, at=at)
    return Shown.MISSING


def first_difference(db: Connection, batch: Batch, beginning: bytes, *, held: int) -> int | None:
    """The first entry whose history the log holds otherwise; None when all agree."""
    before = batch.start - 1
    known = leaves(db, batch.terminal, batch.epoch, first=max(before, 1), last=min(batch.end, held))
    if before == 0:
        known.insert(0, beginning)
    claimed = [batch.entries[0].body.prev, *(entry.leaf for entry in batch.entries)]
    for offset, (ours, theirs) in enumerate(zip(known, claimed, strict=False)):
        if ours != theirs:
            return max(before + offset, 1)
    return None


def keep_fork(db: Connection, batch: Batch, data: bytes, *, differs: int, at: int) -> None:
    """Keep a piece of a diverging branch, once."""
    of_terminal = select(func.count()).select_from(fork).where(fork.c.terminal == batch.terminal)
    if db.execute(of_terminal).scalar_one() < KEPT_MAX:
        digest = hashlib.sha256(data).digest()
        row = (digest, batch.terminal, batch.epoch, differs, batch.end, at, data)
        add_once(db, fork, [row])


def keep_missing(db: Connection, batch: Batch, data: bytes, *, at: int) -> None:
    """Keep the proof that entries exist which never arrived, once."""
    _keep_proof(db, batch.entries[-1].id, batch.entries[-1].leaf, data, at=at)


def keep_followed(db: Connection, first: Entry, *, at: int) -> None:
    """Keep what a new epoch's first entry proves of the one before, whose copy was brought back.

    That epoch's machine is gone: what it had not sent lies in the copy alone, and is owed until
    somebody hands it in.
    """
    said, own = first.content, first.id
    if isinstance(said, Sealed) and said.epoch < own.epoch and said.seq:
        before = RedemptionId(own.terminal, said.epoch, said.seq)
        _keep_proof(db, before, said.head, first.data, at=at)


def _keep_proof(db: Connection, id: RedemptionId, leaf: bytes, data: bytes, *, at: int) -> None:
    of_terminal = select(func.count()).select_from(missing)
    count = db.execute(of_terminal.where(missing.c.terminal == id.terminal)).scalar_one()
    if count < KEPT_MAX:
        add_once(db, missing, [(id.terminal, id.epoch, id.seq, leaf, at, data)])


def hold_code(db: Connection, id: RedemptionId, code: str, *, at: int) -> Shown:
    """Hold the code of a head that somebody told against the log.

    Nothing is signed: whoever told it may have misheard. A head that has not arrived is remembered,
    so that its terminal is asked for it.
    """
    held = leaves(db, id.terminal, id.epoch, first=id.seq, last=id.seq)
    if held:
        return Shown.HELD if head_code(id, held[0]) == code else Shown.CODE
    of_terminal = select(func.count()).select_from(told).where(told.c.terminal == id.terminal)
    if db.execute(of_terminal).scalar_one() < KEPT_MAX:
        add_once(db, told, [(id.terminal, id.epoch, id.seq, code, at)])
    return Shown.MISSING


def withdraw_code(db: Connection, id: RedemptionId, code: str, *, at: int) -> bool:
    """Whoever told a code had misheard it: it shows nothing any more; False if nobody told it."""
    own = told.c
    same = and_(own.terminal == id.terminal, own.epoch == id.epoch, own.seq == id.seq)
    if db.execute(select(told).where(same, own.code == code)).first() is None:
        return False
    add_once(db, withdrawn, [(id.terminal, id.epoch, id.seq, code, at)])
    return True


def chain_cases(db: Connection) -> list[ChainCase]:
    """Every chain about which there is evidence that the log does not answer."""
    pieces: dict[tuple[ChainKind, int, int], list[tuple[int, int]]] = {}
    codes = Counter[tuple[ChainKind, int, int]]()
    for row in db.execute(select(fork)):
        pieces.setdefault((ChainKind.FORK, row.terminal, row.epoch), []).append((row.seq, row.last))
    for row in db.execute(_unanswered()):
        if row.held is None:
            first = head(db, row.terminal, row.epoch).seq + 1
            key = (ChainKind.MISSING, row.terminal, row.epoch)
        else:  # it arrived since, as another entry
            first, key = row.seq, (ChainKind.FORK, row.terminal, row.epoch)
        pieces.setdefault(key, []).append((first, row.seq))
    for row in db.execute(_told()):
        id = RedemptionId(row.terminal, row.epoch, row.seq)
        if row.held is None:
            first = head(db, row.terminal, row.epoch).seq + 1
            key = (ChainKind.MISSING, row.terminal, row.epoch)
        elif head_code(id, row.held) != row.code:
            first, key = row.seq, (ChainKind.CODE, row.terminal, row.epoch)
        else:
            continue
        pieces.setdefault(key, []).append((first, row.seq))
        codes[key] += 1
    return [_case(*key, found, told=codes[key]) for key, found in sorted(pieces.items())]


def _case(
    kind: ChainKind, terminal: int, epoch: int, found: Sequence[tuple[int, int]], *, told: int
) -> ChainCase:
    first, last = min(first for first, _ in found), max(last for _, last in found)
    return ChainCase(kind, terminal, epoch, first=first, last=last, pieces=len(found), told=told)


def _told() -> Select[Any]:
    """What was told by code and not withdrawn, and the leaf held there now, if any."""
    columns = (told.c.terminal, told.c.epoch, told.c.seq, told.c.code, entry.c.leaf.label("held"))
    misheard = exists().where(*(withdrawn.c[c.name] == c for c in columns[:4]))
    return select(*columns).select_from(told.outerjoin(entry, _same(told))).where(~misheard)


def _same(table: Table) -> ColumnElement[bool]:
    """The entry that a row of a table is about."""
    own = table.c
    return and_(
        entry.c.terminal == own.terminal, entry.c.epoch == own.epoch, entry.c.seq == own.seq
    )


def _unanswered() -> Select[Any]:
    """Proofs of entries that the log does not hold as they are proved."""
    return (
        select(missing.c.terminal, missing.c.epoch, missing.c.seq, entry.c.leaf.label("held"))
        .select_from(missing.outerjoin(entry, _same(missing)))
        .where((entry.c.leaf.is_(None)) | (entry.c.leaf != missing.c.leaf))
    )
