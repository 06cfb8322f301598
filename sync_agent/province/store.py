"""The province's store, through SQLAlchemy Core: SQLite by default, another engine by its URL.

Whoever writes holds one transaction from the first look to the commit, so that two batches of one
terminal cannot both find the same place free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Column, Connection, Row, Table, and_, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.changes_file import Clearing
from ledger.element import Element, RedemptionId, Right
from ledger.entry import Void, read_entry
from ledger.usage_file import SignedVoid
from sync_agent.errors import ProvinceError
from sync_agent.province.engine import append, bring_in_step, open_engine, shown
from sync_agent.province.schema import (
    acknowledgement,
    blocked,
    cleared,
    entry,
    fork,
    pending,
    published,
    redemption,
)


@dataclass(frozen=True, slots=True)
class HeldHead:
    """How far the log holds a terminal's chain; leaf is None when it holds nothing."""

    seq: int
    leaf: bytes | None


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A redemption, or a void, that no usage segment carries yet.

    Attributes:
        element: of a redemption.
        void: the entry as its terminal signed it.
    """

    id: RedemptionId
    kecamatan: str
    element: Element | None = None
    void: SignedVoid | None = None


class Store:
    """One open store."""

    def __init__(self, url: str) -> None:
        """Open it, and lay down its tables the first time.

        Raises:
            ProvinceError: it cannot be opened.
        """
        try:
            self._engine = open_engine(url)
            self._writing = self._engine.execution_options(writing=True)
            with self._writing.begin() as db:
                bring_in_step(db)
        except (SQLAlchemyError, CommandError) as error:
            raise ProvinceError(
                f"cannot open the store {shown(url)}: {_plain(error)}; check store in province.toml"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that holds the right to write from its beginning.

        Raises:
            ProvinceError: the store refused; nothing of it happened.
        """
        try:
            with self._writing.begin() as db:
                yield db
        except SQLAlchemyError as error:
            raise ProvinceError(f"the store did not take it: {_plain(error)}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent look.

        Raises:
            ProvinceError: the store cannot be read.
        """
        try:
            with self._engine.begin() as db:
                yield db
        except SQLAlchemyError as error:
            raise ProvinceError(f"the store cannot be read: {_plain(error)}") from error

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()


def head(db: Connection, terminal: int, epoch: int) -> HeldHead:
    """The newest entry held of a terminal and epoch: whatever is taken is acknowledged with it."""
    row = newest_acknowledgement(db, terminal, epoch)
    return HeldHead(row.seq, row.head) if row else HeldHead(0, None)


def leaves(db: Connection, terminal: int, epoch: int, *, first: int, last: int) -> list[bytes]:
    """Leaf hashes of the entries held from ``first`` to ``last``."""
    rows = db.execute(
        select(entry.c.leaf)
        .where(entry.c.terminal == terminal, entry.c.epoch == epoch)
        .where(entry.c.seq.between(first, last))
        .order_by(entry.c.seq)
    )
    return [row.leaf for row in rows]


def acknowledgement_from(db: Connection, terminal: int, epoch: int, seq: int) -> Row[Any] | None:
    """The first acknowledgement that covers an entry: the same whenever it is asked."""
    return db.execute(
        select(acknowledgement)
        .where(acknowledgement.c.terminal == terminal, acknowledgement.c.epoch == epoch)
        .where(acknowledgement.c.seq >= seq)
        .order_by(acknowledgement.c.seq)
        .limit(1)
    ).first()


def newest_acknowledgement(db: Connection, terminal: int, epoch: int) -> Row[Any] | None:
    """The acknowledgement of a terminal's newest batch."""
    return db.execute(
        select(acknowledgement)
        .where(acknowledgement.c.terminal == terminal, acknowledgement.c.epoch == epoch)
        .order_by(acknowledgement.c.seq.desc())
        .limit(1)
    ).first()


def chains(db: Connection) -> list[tuple[int, int]]:
    """Every (terminal, epoch) the log holds something of."""
    rows = db.execute(select(acknowledgement.c.terminal, acknowledgement.c.epoch).distinct())
    return [(row.terminal, row.epoch) for row in rows]


def unpublished(db: Connection, terminal: int, epoch: int) -> list[Unpublished]:
    """A terminal's redemptions and voids that no usage segment carries yet.

    A chain is published in its own order, so what waits lies behind the last one published.
    """
    of_chain = (published.c.terminal == terminal) & (published.c.epoch == epoch)
    through = db.execute(select(func.max(published.c.seq)).where(of_chain)).scalar_one()
    by_chip = and_(*(pending.c[n] == redemption.c[n] for n in ("terminal", "epoch", "seq")))
    rows = db.execute(
        select(redemption, pending.c.counter)
        .outerjoin(pending, by_chip)
        .where(redemption.c.terminal == terminal, redemption.c.epoch == epoch)
        .where(redemption.c.seq > (through or 0))
        .order_by(redemption.c.seq)
    )
    elements = [(element_of(row, row.counter), row.kecamatan) for row in rows]
    given = [Unpublished(element.id, kecamatan, element) for element, kecamatan in elements]
    return given + list(_voids(db, terminal, epoch, after=through or 0))


def _voids(db: Connection, terminal: int, epoch: int, *, after: int) -> Iterator[Unpublished]:
    """Voids with their own signatures: agents end a batch with each, so that it is kept."""
    signed = (acknowledgement.c.terminal == terminal) & (acknowledgement.c.epoch == epoch)
    of_entry = (entry.c.terminal == terminal) & (entry.c.epoch == epoch)
    rows = db.execute(
        select(entry.c.body, acknowledgement.c.signature)
        .join(acknowledgement, signed & of_entry & (acknowledgement.c.seq == entry.c.seq))
        .where(acknowledgement.c.seq > after)
    )
    for body, signature in rows:
        said = read_entry(body)
        if isinstance(said.content, Void):
            of_redemption = (redemption.c.terminal == terminal) & (redemption.c.epoch == epoch)
            kecamatan = db.execute(
                select(redemption.c.kecamatan)
                .where(of_redemption)
                .where(redemption.c.seq == said.content.seq)
            ).scalar_one_or_none()
            if kecamatan is not None:
                void = SignedVoid(bytes(body), bytes(signature))
                yield Unpublished(said.id, kecamatan, void=void)


def mark_published(
    db: Connection, kecamatan: str, number: int, ids: Sequence[RedemptionId]
) -> None:
    """Remember which segment carries these."""
    rows = [(id.terminal, id.epoch, id.seq, kecamatan, number) for id in ids]
    append(db, published, rows)


def element_of(row: Row[Any], before: int | None = None) -> Element:
    """A redemption's row as the element every road carries.

    Args:
        row: of the redemption.
        before: counter of the chip before it; None without a chip.
    """
    return Element(
        RedemptionId(row.terminal, row.epoch, row.seq),
        row.leaf[:8],
        Right(row.household, row.member, row.programme, row.window),
        row.quantity,
        row.at // 60,
        0 if before is None else before + 1,
    )


def first_fork(db: Connection, terminal: int, epoch: int) -> int | None:
    """The first entry of which a chain has two histories; None when it has one."""
    of_chain = (fork.c.terminal == terminal) & (fork.c.epoch == epoch)
    lowest: int | None = db.execute(select(func.min(fork.c.seq)).where(of_chain)).scalar_one()
    return lowest


def keep_block(db: Connection, household: bytes, issue: int, *, reason: str, at: int) -> bool:
    """Remember a blocked card; False when it is blocked already."""
    if (household, issue) in blocked_cards(db):
        return False
    same = (cleared.c.household == household) & (cleared.c.issue == issue)
    after = db.execute(select(func.max(cleared.c.number)).where(same)).scalar_one() or 0
    values = {"household": household, "issue": issue, "after": after, "reason": reason, "at": at}
    db.execute(insert(blocked).values(**values))
    return True


def keep_clearings(db: Connection, clearings: Iterable[Clearing], *, at: int) -> None:
    """Remember which blocks the kecamatan has taken off; those known already stay as they are."""
    rows = db.execute(select(cleared.c.household, cleared.c.issue, cleared.c.number))
    known = {(row.household, row.issue, row.number) for row in rows}
    for c in clearings:
        if (c.household, c.issue, c.number) not in known:
            values = {"household": c.household, "issue": c.issue, "number": c.number, "at": at}
            db.execute(insert(cleared).values(**values))


def blocked_cards(db: Connection) -> set[tuple[bytes, int]]:
    """Every (household, issue) that is blocked: set since it was last cleared."""
    last = {(r.household, r.issue): r.number for r in _last(db, cleared, cleared.c.number)}
    rows = _last(db, blocked, blocked.c.after)
    return {
        (row.household, row.issue)
        for row in rows
        if row.number >= last.get((row.household, row.issue), 0)
    }


def cleared_cards(db: Connection) -> set[tuple[bytes, int]]:
    """Every (household, issue) whose block was taken off and has not been set again since."""
    rows = db.execute(select(cleared.c.household, cleared.c.issue))
    return {(row.household, row.issue) for row in rows} - blocked_cards(db)


def _last(db: Connection, table: Table, number: Column[int]) -> Sequence[Row[Any]]:
    columns = (table.c.household, table.c.issue, func.max(number).label("number"))
    return db.execute(select(*columns).group_by(table.c.household, table.c.issue)).all()


def _plain(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())[:200]
